"""Skills: instructions that an instance's model reads when a task needs them."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import msgspec

from polyant.domain.errors import InvalidInputError

MAX_SKILLS = 64
"""The maximum number of skills of an instance."""

MAX_SKILL_FILES = 128
"""The maximum number of files of a skill, its instructions included."""

MAX_SKILL_FILE_BYTES = 64 * 1024
"""The maximum size of one file of a skill, in UTF-8."""

MAX_SKILL_BYTES = 1024 * 1024
"""The maximum size of all files of a skill together, in UTF-8."""

MAX_SKILL_NAME_CHARACTERS = 64
MAX_SKILL_DESCRIPTION_CHARACTERS = 1_024
MAX_SKILL_PATH_CHARACTERS = 200

SKILL_NAME_PATTERN = re.compile(r"\A[a-z0-9]+(-[a-z0-9]+)*\Z")
SKILL_NAME_RULE = (
    f"1 to {MAX_SKILL_NAME_CHARACTERS} characters: a-z, 0-9 and single hyphens, "
    "starting and ending with a letter or digit"
)

INSTRUCTIONS_FILE = "SKILL.md"
"""The path of a skill's instructions."""

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_SEGMENT = re.compile(r'\A[^\x00-\x1f\x7f\\:*?"<>|\ud800-\udfff]+\Z')
_SCRIPT_SUFFIXES = frozenset(
    [
        *(".bash", ".bat", ".cmd", ".fish", ".go", ".js", ".lua", ".mjs", ".php", ".pl", ".ps1", ".py", ".r", ".rb"),
        *(".rs", ".sh", ".sql", ".ts", ".zsh"),
    ]
)


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """A skill in the list that the model always sees; its files are stored apart."""

    name: str
    description: str
    """One line that says when to use the skill."""
    digest: str
    """Identifies the files, which never change: a changed skill has another digest."""
    size: int
    """The size of all files together, in bytes of UTF-8."""


class SkillFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a skill."""

    path: str
    """Relative to the skill, with `/` between its parts."""
    content: str

    @property
    def size(self) -> int:
        """The size in bytes of UTF-8."""
        return len(self.content.encode("utf-8", "surrogatepass"))

    @property
    def is_script(self) -> bool:
        """Whether the file is meant to be run, which no skill can do."""
        return self.content.startswith("#!") or PurePosixPath(self.path).suffix.lower() in _SCRIPT_SUFFIXES


class SkillFileSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a skill in a listing."""

    path: str
    size: int
    """The size in bytes of UTF-8."""
    is_script: bool


class SkillContent(msgspec.Struct, frozen=True, kw_only=True):
    """A skill with its files."""

    name: str
    description: str
    instructions: str
    """The Markdown text that the model reads first."""
    files: tuple[SkillFile, ...] = ()
    """The other files."""


def parse_skill_name(text: str) -> str:
    """Returns the text as the name of a skill.

    Raises:
        InvalidInputError: The text breaks `SKILL_NAME_RULE`.
    """
    if len(text) > MAX_SKILL_NAME_CHARACTERS or not SKILL_NAME_PATTERN.match(text):
        raise InvalidInputError(f"The name of a skill must be {SKILL_NAME_RULE}")
    return text


def parse_skill_description(text: str) -> str:
    """Returns the text as a description: one line, without repeated blanks.

    Raises:
        InvalidInputError: Nothing is left, it is too long, or it contains control characters.
    """
    line = " ".join(text.split())
    if not 1 <= len(line) <= MAX_SKILL_DESCRIPTION_CHARACTERS or not _is_printable(line):
        raise InvalidInputError(
            f"The description of a skill must have 1 to {MAX_SKILL_DESCRIPTION_CHARACTERS:,} characters "
            "and no control characters"
        )
    return line


def parse_skill_path(text: str) -> str:
    """Returns the text as the path of one of a skill's other files.

    Raises:
        InvalidInputError: It isn't relative, leaves the skill, is invalid, or is that of the instructions.
    """
    segments = text.split("/")
    if (
        not text
        or len(text) > MAX_SKILL_PATH_CHARACTERS
        or not all(_SEGMENT.match(segment) and segment.strip(" ") == segment for segment in segments)
        or not {".", ".."}.isdisjoint(segments)
    ):
        raise InvalidInputError(
            f"The path of a file must be relative, have at most {MAX_SKILL_PATH_CHARACTERS} characters, no `..`, "
            f'and none of \\ : * ? " < > | - at `{_shown(text)}`'
        )
    if text.lower() == INSTRUCTIONS_FILE.lower():
        raise InvalidInputError(f"{INSTRUCTIONS_FILE} holds the instructions and can't be another file, too")
    return text


def check_skills(skills: Sequence[Skill]) -> None:
    """Checks that the skills are a valid list of one instance.

    Raises:
        InvalidInputError: They aren't; the message names the skill and the rule.
    """
    if len(skills) > MAX_SKILLS:
        raise InvalidInputError(f"An instance can have at most {MAX_SKILLS} skills")
    for skill in skills:
        parse_skill_name(skill.name)
        if parse_skill_description(skill.description) != skill.description:
            raise InvalidInputError(f"The description of the skill {skill.name} must be one line")
    if len({skill.name for skill in skills}) < len(skills):
        raise InvalidInputError("The skills of an instance must have unique names")


def packed(content: SkillContent) -> tuple[Skill, tuple[SkillFile, ...]]:
    """Returns the skill for the instance, and all its files in the order of their paths.

    Raises:
        InvalidInputError: The name, the description or a file is invalid or too large; the message names it.
    """
    name, description = parse_skill_name(content.name), parse_skill_description(content.description)
    if not content.instructions.strip():
        raise InvalidInputError(f"The skill {name} has no instructions")
    others = [SkillFile(path=parse_skill_path(file.path), content=file.content) for file in content.files]
    instructions = SkillFile(path=INSTRUCTIONS_FILE, content=content.instructions)
    files = tuple(sorted((instructions, *others), key=lambda file: file.path))
    size = _checked_size(name, files)
    pairs = [(file.path, file.content) for file in files]
    digest = hashlib.sha256(msgspec.json.encode(pairs)).hexdigest()
    return Skill(name=name, description=description, digest=digest, size=size), files


def unpacked(skill: Skill, files: Iterable[SkillFile]) -> SkillContent:
    """Returns the skill with its files, the instructions apart."""
    contents = {file.path: file.content for file in files}
    instructions = contents.pop(INSTRUCTIONS_FILE, "")
    others = tuple(SkillFile(path=path, content=contents[path]) for path in sorted(contents))
    return SkillContent(name=skill.name, description=skill.description, instructions=instructions, files=others)


def in_order(skills: Iterable[Skill]) -> tuple[Skill, ...]:
    """Returns the skills by name, the order in which the model sees them."""
    return tuple(sorted(skills, key=lambda skill: skill.name))


def _checked_size(name: str, files: Sequence[SkillFile]) -> int:
    if len(files) > MAX_SKILL_FILES:
        raise InvalidInputError(f"The skill {name} has {len(files)} files, but can have at most {MAX_SKILL_FILES}")
    if len({file.path for file in files}) < len(files):
        raise InvalidInputError(f"The files of the skill {name} must have different paths")
    for file in files:
        if _UNSTORABLE.search(file.content):
            raise InvalidInputError(f"{file.path} of the skill {name} must be text, without U+0000")
        if file.size > MAX_SKILL_FILE_BYTES:
            raise InvalidInputError(
                f"{file.path} of the skill {name} has {file.size:,} bytes, but can have at most "
                f"{MAX_SKILL_FILE_BYTES:,}"
            )
    size = sum(file.size for file in files)
    if size > MAX_SKILL_BYTES:
        raise InvalidInputError(
            f"The files of the skill {name} have {size:,} bytes together, but can have at most {MAX_SKILL_BYTES:,}"
        )
    return size


def _is_printable(line: str) -> bool:
    return not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", line)


def _shown(text: str) -> str:
    return ascii(text[:MAX_SKILL_PATH_CHARACTERS])[1:-1]
