"""The history of an instance: its earlier prompts and settings, each as it was before a save replaced it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from polyant.domain.digits import parse_digits
from polyant.domain.errors import InvalidInputError, NotFoundError
from polyant.domain.instances import DEFAULT_HISTORY_MESSAGES, DEFAULT_HISTORY_TOKENS, Instance, InstanceId, JsonObject
from polyant.domain.limits import TurnLimits
from polyant.domain.prompts import SectionKey
from polyant.domain.skills import Skill

MAX_STATES = 100
"""The maximum number of states in the history of one instance."""

MAX_HISTORY_BYTES = 4 * 1024 * 1024
"""The maximum size of the states of one instance together, as JSON in UTF-8."""

_MAX_STATE_NUMBER = 2**31 - 1


class StateContent(msgspec.Struct, frozen=True, kw_only=True):
    """The prompts, skills and settings of an instance, without its access, status, tools, MCP servers and secrets."""

    name: str
    description: str
    provider: str
    model: str
    base_url: str | None
    temperature: float | None
    conversations: bool = False
    history_tokens: int = DEFAULT_HISTORY_TOKENS
    history_messages: int = DEFAULT_HISTORY_MESSAGES
    image_input: bool = False
    limits: TurnLimits
    options: Mapping[str, JsonObject]
    sections: Mapping[SectionKey, str]
    skills: tuple[Skill, ...] | None = None
    """None in states that a version without skills kept."""


class StateSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One earlier state in a listing."""

    number: int
    """The version of the instance that the state was."""
    replaced_at: datetime
    replaced_by: str
    """The author of the save that replaced it, as in the audit trail."""
    changed: tuple[str, ...]
    """The names of the fields, limits, sections, options and skills that the save changed.

    Options are named `options.NAME`, skills `skills.NAME`.
    """


class InstanceState(StateSummary, frozen=True, kw_only=True):
    """One earlier state with its content."""

    instance: InstanceId
    content: StateContent
    skill_bytes: int = 0
    """The size of the files of the skills that the save replaced or deleted."""

    @property
    def summary(self) -> StateSummary:
        """The state without its content."""
        return StateSummary(**{name: getattr(self, name) for name in StateSummary.__struct_fields__})

    @property
    def size(self) -> int:
        """The number of bytes that count towards `MAX_HISTORY_BYTES`."""
        return len(msgspec.json.encode(self.content)) + self.skill_bytes

    @property
    def skill_digests(self) -> frozenset[str]:
        """The digests of the skills, whose files are kept with the state."""
        return frozenset(skill.digest for skill in self.content.skills or ())


class UnknownStateError(NotFoundError):
    """The history of the instance has no state with that number."""

    def __init__(self, number: int | str) -> None:
        super().__init__(f"The history has no state {number}")


def parse_state_number(text: str) -> int:
    """Returns the text as the number of a state.

    Raises:
        InvalidInputError: The text isn't a whole number from 1.
    """
    number = parse_digits(text, at_most=len(str(_MAX_STATE_NUMBER)))
    if number is None or not 1 <= number <= _MAX_STATE_NUMBER:
        raise InvalidInputError("The number of a state must be a whole number from 1")
    return number


def state_content_of(instance: Instance) -> StateContent:
    """Returns the prompts and settings of the instance; an empty section counts as a missing one."""
    fields = {name: getattr(instance, name) for name in StateContent.__struct_fields__}
    sections = {key: instance.sections[key] for key in SectionKey if instance.sections.get(key)}
    return StateContent(**fields | {"sections": sections})


def with_content(instance: Instance, content: StateContent) -> Instance:
    """Returns the instance with those prompts, skills and settings; everything else stays.

    The skills stay, too, if the content is from a version without skills.
    """
    fields = {name: getattr(content, name) for name in StateContent.__struct_fields__}
    sections = {key: content.sections.get(key, "") for key in SectionKey}
    skills = instance.skills if content.skills is None else content.skills
    return msgspec.structs.replace(instance, **fields | {"sections": sections, "skills": skills})


def changed_names(before: StateContent, after: StateContent) -> tuple[str, ...]:
    """Returns the names of the fields, limits, sections, options and skills that differ."""
    return tuple(_changed_names(before, after))


def replaced_state(before: Instance, after: Instance, *, at: datetime, by: str) -> InstanceState | None:
    """Returns the state that a save replaces, or None if it changes no prompts and settings."""
    content = state_content_of(before)
    changed = changed_names(content, state_content_of(after))
    if not changed:
        return None
    present = {skill.digest for skill in after.skills}
    replaced = {skill.digest: skill.size for skill in before.skills if skill.digest not in present}
    return InstanceState(
        instance=before.id,
        number=before.version,
        replaced_at=at,
        replaced_by=by,
        changed=changed,
        content=content,
        skill_bytes=sum(replaced.values()),
    )


def kept_states(sizes: Sequence[tuple[int, int]]) -> frozenset[int]:
    """Returns the numbers of the states that fit into the history; the oldest are dropped first.

    Args:
        sizes: The number and the size in bytes of each state.
    """
    kept: set[int] = set()
    used = 0
    for number, size in sorted(sizes, reverse=True)[:MAX_STATES]:
        used += size
        if used > MAX_HISTORY_BYTES:
            break
        kept.add(number)
    return frozenset(kept)


def _changed_names(before: StateContent, after: StateContent) -> Iterator[str]:
    for name in StateContent.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        match old:
            case TurnLimits():
                yield from (limit for limit in old.__struct_fields__ if getattr(old, limit) != getattr(new, limit))
            case Mapping() if name == "options":
                yield from (f"options.{key}" for key in sorted({*old, *new}) if old.get(key) != new.get(key))
            case _ if name == "skills":
                yield from _changed_skills(old or (), new or ())
            case Mapping():
                yield from (key for key in SectionKey if old.get(key, "") != new.get(key, ""))
            case _ if old != new:
                yield name


def _changed_skills(before: Sequence[Skill], after: Sequence[Skill]) -> Iterator[str]:
    old, new = {skill.name: skill for skill in before}, {skill.name: skill for skill in after}
    yield from (f"skills.{name}" for name in sorted({*old, *new}) if old.get(name) != new.get(name))
