"""/api/instances/{slug}/skills: the skills of an instance."""

from typing import Annotated

from litestar import Controller, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, UnsetType

from polyant.domain.skills import (
    MAX_SKILL_DESCRIPTION_CHARACTERS,
    MAX_SKILL_FILE_BYTES,
    MAX_SKILL_FILES,
    MAX_SKILL_PATH_CHARACTERS,
    MAX_SKILLS,
    SKILL_NAME_PATTERN,
    SKILL_NAME_RULE,
    Skill,
    SkillContent,
    SkillFile,
)
from polyant.domain.use_cases.delete_skill import DeleteSkill
from polyant.domain.use_cases.set_skill import SetSkill, SkillChange
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.show_skill import ShownSkill, ShowSkill
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Body, Deleted, ResponseBody, pattern_schema, slug_in

SkillName = Annotated[
    str,
    Meta(extra_json_schema=pattern_schema(SKILL_NAME_PATTERN), description=SKILL_NAME_RULE, examples=["returns"]),
]
SkillDescription = Annotated[
    str,
    Meta(
        max_length=MAX_SKILL_DESCRIPTION_CHARACTERS,
        description="One line that says when to use the skill",
        examples=["How to handle returns. Read it before you answer about a return."],
    ),
]
_TEXT = {"pattern": r"^[^\x00]*$"}
Instructions = Annotated[
    str,
    Meta(
        max_length=MAX_SKILL_FILE_BYTES,
        extra_json_schema=_TEXT,
        description="Markdown that the model reads when it uses the skill, at most 64 KiB",
        examples=["# Returns\n\nAsk for the order number first."],
    ),
]
_PATH = Meta(max_length=MAX_SKILL_PATH_CHARACTERS, description="Relative path", examples=["tables/prices.md"])


class SkillOut(ResponseBody, frozen=True, kw_only=True):
    """A skill in the list that the model sees."""

    name: SkillName
    description: SkillDescription
    size: Annotated[int, Meta(description="Size of all files together, in bytes")]


class SkillsResponse(ResponseBody, frozen=True, kw_only=True):
    """The skills of an instance, by name."""

    skills: tuple[SkillOut, ...]


class SkillFileOut(ResponseBody, frozen=True, kw_only=True):
    """A file of a skill."""

    path: Annotated[str, _PATH]
    content: str
    script: Annotated[bool, Meta(description="Whether it is a script, which the model can only read")]


class SkillResponse(SkillOut, frozen=True, kw_only=True):
    """A skill with its files."""

    instructions: Instructions
    files: tuple[SkillFileOut, ...]


class SkillFileBody(Body, frozen=True, kw_only=True):
    """A file of a skill."""

    path: Annotated[str, _PATH]
    content: Annotated[str, Meta(max_length=MAX_SKILL_FILE_BYTES, extra_json_schema=_TEXT)]


SkillFileBodies = Annotated[
    tuple[SkillFileBody, ...],
    Meta(max_length=MAX_SKILL_FILES - 1, description="Other files; each has at most 64 KiB, a skill at most 1 MiB"),
]


class SkillBody(Body, frozen=True, kw_only=True):
    """A skill with its files."""

    name: SkillName
    description: SkillDescription
    instructions: Instructions
    files: SkillFileBodies = ()


SkillBodies = Annotated[tuple[SkillBody, ...], Meta(max_length=MAX_SKILLS)]


class PutSkillBody(Body, frozen=True, kw_only=True):
    """The fields of a skill; an existing skill keeps what is omitted."""

    description: SkillDescription | UnsetType = UNSET
    instructions: Instructions | UnsetType = UNSET
    files: SkillFileBodies | UnsetType = UNSET


class SkillsController(Controller):
    """The skills of one instance."""

    path = "/instances/{slug:str}/skills"
    tags = ("Skills",)

    @get(summary="List skills", responses=read_errors(404))
    async def list_all(
        self, *, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[SkillsResponse]:
        """Returns the names and descriptions of the instance's skills."""
        instance = await show_instance(slug_in(slug))
        skills = tuple(map(skill_summary, instance.skills))
        return Response(SkillsResponse(skills=skills), headers={"ETag": etag_of(instance.version)})

    @get("/{name:str}", summary="Get a skill", responses=read_errors(404))
    async def show(
        self, *, slug: FromPath[str], name: FromPath[str], show_skill: NamedDependency[ShowSkill]
    ) -> Response[SkillResponse]:
        """Returns a skill with its instructions and all other files."""
        return _response(await show_skill(slug_in(slug), name))

    @put("/{name:str}", summary="Store a skill", responses=write_errors(404, 412))
    async def store(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        name: FromPath[str],
        data: JSONBody[PutSkillBody],
        set_skill: NamedDependency[SetSkill],
        show_skill: NamedDependency[ShowSkill],
        if_match: IfMatch = None,
    ) -> Response[SkillResponse]:
        """Adds a skill, which needs a description and instructions, or changes the given fields of an existing one."""
        files = None if data.files is UNSET else tuple(map(_file_in, data.files))
        change = SkillChange(
            name=name,
            description=None if data.description is UNSET else data.description,
            instructions=None if data.instructions is UNSET else data.instructions,
            files=files,
        )
        await set_skill(slug_in(slug), change, by=request.auth.actor, expected_versions=versions_in(if_match))
        return _response(await show_skill(slug_in(slug), name))

    @delete("/{name:str}", summary="Delete a skill", status_code=200, responses=write_errors(404, 412))
    async def remove(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        name: FromPath[str],
        delete_skill: NamedDependency[DeleteSkill],
        if_match: IfMatch = None,
    ) -> Deleted:
        """Deletes one skill. The history keeps it, so restoring the state before brings it back."""
        await delete_skill(slug_in(slug), name, by=request.auth.actor, expected_versions=versions_in(if_match))
        return Deleted()


def skill_in(skill: SkillBody) -> SkillContent:
    """Returns the skill as a domain object; the domain validates it."""
    return SkillContent(
        name=skill.name,
        description=skill.description,
        instructions=skill.instructions,
        files=tuple(map(_file_in, skill.files)),
    )


def skill_out(skill: SkillContent) -> SkillBody:
    """Returns the skill as it is exported."""
    files = tuple(SkillFileBody(path=file.path, content=file.content) for file in skill.files)
    return SkillBody(name=skill.name, description=skill.description, instructions=skill.instructions, files=files)


def _file_in(file: SkillFileBody) -> SkillFile:
    return SkillFile(path=file.path, content=file.content)


def skill_summary(skill: Skill) -> SkillOut:
    """Returns the skill without its files."""
    return SkillOut(name=skill.name, description=skill.description, size=skill.size)


def _response(shown: ShownSkill) -> Response[SkillResponse]:
    files = tuple(
        SkillFileOut(path=file.path, content=file.content, script=file.is_script) for file in shown.content.files
    )
    content = SkillResponse(
        name=shown.skill.name,
        description=shown.skill.description,
        size=shown.skill.size,
        instructions=shown.content.instructions,
        files=files,
    )
    return Response(content, headers={"ETag": etag_of(shown.instance.version)})
