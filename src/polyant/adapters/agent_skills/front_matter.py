"""The YAML front matter of a SKILL.md: the name and the description of the skill."""

import re

import msgspec
import yaml

from polyant.domain.errors import InvalidInputError
from polyant.domain.skills import INSTRUCTIONS_FILE

_MAX_CHARACTERS = 16_384
_MAX_DEPTH = 100
"""The maximum nesting; the time that PyYAML needs grows with the square of the depth of brackets."""
_STARTS = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_ENDS = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
_DELIMITED = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


class SkillText(msgspec.Struct, frozen=True, kw_only=True):
    """A SKILL.md: the instructions, and what its front matter says; None for missing fields."""

    name: str | None = None
    description: str | None = None
    instructions: str


def parse_skill_text(text: str) -> SkillText:
    """Returns the parts of a SKILL.md; text without front matter is all instructions.

    Other fields of the front matter are ignored. Anchors and aliases are refused: they can multiply a small text.

    Raises:
        InvalidInputError: The front matter is too long or too deeply nested, isn't a YAML mapping, or its fields
            aren't text.
    """
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found = _DELIMITED.match(plain)
    if found is None:
        if re.match(r"---[ \t]*\n", plain):
            raise InvalidInputError(f"The front matter of {INSTRUCTIONS_FILE} has no end: add a line `---` after it")
        return SkillText(instructions=plain)
    fields = _fields_in(found[1])
    return SkillText(
        name=_text_of(fields, "name"),
        description=_text_of(fields, "description"),
        instructions=plain[found.end() :].lstrip("\n"),
    )


def _fields_in(front_matter: str) -> dict[object, object]:
    if len(front_matter) > _MAX_CHARACTERS:
        raise InvalidInputError(f"The front matter of {INSTRUCTIONS_FILE} has more than {_MAX_CHARACTERS:,} characters")
    try:
        _refuse_costly(front_matter)
        fields = yaml.safe_load(front_matter)
    except yaml.YAMLError as error:
        raise InvalidInputError(
            f"The front matter of {INSTRUCTIONS_FILE} is not valid YAML{_place_of(error)}"
        ) from None
    except (RecursionError, ValueError):  # ValueError: an impossible date, or a number with thousands of digits
        raise InvalidInputError(f"The front matter of {INSTRUCTIONS_FILE} is not valid YAML") from None
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        raise InvalidInputError(f"The front matter of {INSTRUCTIONS_FILE} must be a mapping such as `name: returns`")
    return fields


def _refuse_costly(front_matter: str) -> None:
    """Raises an error if reading the YAML could take long."""
    depth = 0
    for token in yaml.scan(front_matter):
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            raise InvalidInputError(f"The front matter of {INSTRUCTIONS_FILE} must not have anchors and aliases")
        depth += isinstance(token, _STARTS) - isinstance(token, _ENDS)
        if depth > _MAX_DEPTH:
            raise InvalidInputError(
                f"The front matter of {INSTRUCTIONS_FILE} is nested more than {_MAX_DEPTH} levels deep"
            )


def _text_of(fields: dict[object, object], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise InvalidInputError(f"The {name} in the front matter of {INSTRUCTIONS_FILE} must be text: put it in quotes")


def _place_of(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    # The front matter begins in the second line of the file, and lines of a mark count from 0.
    return "" if mark is None else f" in line {mark.line + 2}; put texts with `: ` or `#` in quotes"
