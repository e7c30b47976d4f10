"""The tool with which a model reads the skills of its instance."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instances import Instance, InstanceId
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.skills import INSTRUCTIONS_FILE, Skill, SkillFileSummary
from polyant.domain.tools import MAX_RESULT_BYTES, OfferedTool, ToolContext, ToolError, tool_spec

READ_SKILL = "read_skill"
"""The name of the tool."""

_DESCRIPTION = (
    "Returns the instructions of a skill, or one of its other files. Read a skill before a task that its description "
    "covers, then follow it."
)
_SCRIPT_NOTE = "[This is a script. It can't be executed here, only read.]"
_NO_ARGUMENTS = frozenset({"", "null"})


class ReadSkill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of the tool."""

    name: Annotated[str, msgspec.Meta(description="The name of the skill, from the list of skills")]
    file: Annotated[
        str | None,
        msgspec.Meta(description="The path of another file of the skill; leave it out to read the instructions"),
    ] = None


_decoder = msgspec.json.Decoder(ReadSkill)
_spec = tool_spec(READ_SKILL, _DESCRIPTION, ReadSkill)


class SkillReader:
    """Offers `read_skill` to the models of instances that have skills."""

    def __init__(self, *, files: SkillFiles) -> None:
        self._files = files

    def tools_for(self, instance: Instance) -> tuple[OfferedTool, ...]:
        """Returns the tool, or nothing for an instance without skills."""
        if not instance.skills:
            return ()
        skills = {skill.name: skill for skill in instance.skills}

        async def call(arguments: str, _: ToolContext) -> str:
            try:
                decoded = _decoder.decode("{}" if arguments.strip() in _NO_ARGUMENTS else arguments)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise ToolError(f"The arguments don't match the tool's schema: {error}") from None
            skill = skills.get(decoded.name)
            if skill is None:
                raise ToolError(f"There is no skill '{decoded.name}'. There are: {', '.join(skills)}.")
            try:
                return await self._read(instance.id, skill, decoded.file or INSTRUCTIONS_FILE)
            except StorageUnavailableError:
                raise ToolError("The skill can't be read right now.") from None

        return (OfferedTool(spec=_spec, call=call),)

    async def _read(self, instance: InstanceId, skill: Skill, path: str) -> str:
        found = await self._files.get(instance, skill.digest, path)
        if found is None:
            raise await self._no_such_file(instance, skill, path)
        if path != INSTRUCTIONS_FILE:
            return f"{_SCRIPT_NOTE}\n\n{found.content}" if found.is_script else found.content
        others = _others(await self._files.list(instance, skill.digest))
        if not others:
            return found.content
        whole = f"{found.content.rstrip()}\n\n{_list_of(others)}"
        # Instructions that leave no room for the list name the files that they need themselves.
        return whole if len(whole.encode("utf-8", "replace")) <= MAX_RESULT_BYTES else found.content

    async def _no_such_file(self, instance: InstanceId, skill: Skill, path: str) -> ToolError:
        files = await self._files.list(instance, skill.digest)
        if not files:
            return ToolError(f"The skill {skill.name} was just changed or deleted.")
        names = ", ".join(file.path for file in _others(files)) or "none"
        return ToolError(f"The skill {skill.name} has no file '{path}'. Its other files are: {names}.")


def _others(files: Iterable[SkillFileSummary]) -> Sequence[SkillFileSummary]:
    return [file for file in files if file.path != INSTRUCTIONS_FILE]


def _list_of(files: Iterable[SkillFileSummary]) -> str:
    lines = (f"- {file.path}{' (a script: not executable here)' if file.is_script else ''}" for file in files)
    return "\n".join(("Other files of this skill, which this tool reads, too:", "", *lines))
