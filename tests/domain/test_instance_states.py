import msgspec
import pytest

from polyant.domain.errors import InvalidInputError
from polyant.domain.instance_states import (
    MAX_HISTORY_BYTES,
    MAX_STATES,
    changed_names,
    kept_states,
    parse_state_number,
    replaced_state,
    state_content_of,
    with_content,
)
from polyant.domain.instances import InstanceStatus
from polyant.domain.limits import TurnLimits
from polyant.domain.prompts import SectionKey
from polyant.testing.factories import InstanceFactory
from polyant.testing.manual_clock import START

BEFORE = InstanceFactory.build(
    version=7, limits=TurnLimits(max_steps=3), options={"openai": {"effort": "low"}}, temperature=None
)
AFTER = msgspec.structs.replace(
    BEFORE,
    name="Other",
    temperature=0.5,
    limits=TurnLimits(max_steps=3, tool_seconds=9),
    options={"openai": {"effort": "low"}, "anthropic": {}},
    sections={**BEFORE.sections, SectionKey.MEMORY: "Open until six."},
)


def test_changed_names_are_those_of_the_audit_trail() -> None:
    changed = changed_names(state_content_of(BEFORE), state_content_of(AFTER))
    assert changed == ("name", "temperature", "tool_seconds", "options.anthropic", "06-memory")


def test_removed_options_and_emptied_sections_are_changed() -> None:
    emptied = msgspec.structs.replace(BEFORE, options={}, sections={})
    changed = changed_names(state_content_of(BEFORE), state_content_of(emptied))
    assert changed == ("options.openai", *(key for key in SectionKey if BEFORE.sections[key]))


def test_missing_and_empty_sections_are_equal() -> None:
    missing = msgspec.structs.replace(BEFORE, sections={})
    empty = msgspec.structs.replace(BEFORE, sections=dict.fromkeys(SectionKey, ""))
    assert state_content_of(missing) == state_content_of(empty)


def test_replaced_state_is_the_state_before() -> None:
    state = replaced_state(BEFORE, AFTER, at=START, by="ann@example.com")
    assert state is not None
    assert (state.instance, state.number) == (BEFORE.id, 7)
    assert (state.replaced_at, state.replaced_by) == (START, "ann@example.com")
    assert state.content == state_content_of(BEFORE)
    assert "name" in state.changed


def test_other_changes_replace_no_state() -> None:
    other = msgspec.structs.replace(
        BEFORE,
        status=InstanceStatus.DISABLED,
        auth_enabled=not BEFORE.auth_enabled,
        tools=(),
        mcp_servers=(),
        secrets={},
        approved_addresses=frozenset(),
        version=8,
    )
    assert replaced_state(BEFORE, other, at=START, by="cli") is None


def test_state_has_no_secret() -> None:
    encoded = msgspec.json.encode(replaced_state(BEFORE, AFTER, at=START, by="cli")).decode()
    assert BEFORE.secrets
    for secret in BEFORE.secrets.values():
        assert secret.sealed not in encoded
        assert secret.name not in encoded


def test_content_is_put_back_and_everything_else_stays() -> None:
    changed = msgspec.structs.replace(AFTER, tools=(), status=InstanceStatus.DISABLED, version=9)
    restored = with_content(changed, state_content_of(BEFORE))
    assert state_content_of(restored) == state_content_of(BEFORE)
    assert (restored.tools, restored.status, restored.version) == ((), InstanceStatus.DISABLED, 9)
    assert restored.secrets == BEFORE.secrets


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ([], set()),
        ([(number, 1) for number in range(1, MAX_STATES + 3)], set(range(3, MAX_STATES + 3))),
        ([(3, MAX_HISTORY_BYTES), (9, 0)], {3, 9}),
        ([(3, MAX_HISTORY_BYTES), (9, 1)], {9}),
        ([(1, 1), (3, MAX_HISTORY_BYTES), (9, 1)], {9}),
    ],
)
def test_oldest_states_are_dropped_first(sizes: list[tuple[int, int]], kept: set[int]) -> None:
    assert kept_states(sizes) == kept


def test_number_of_a_state_is_parsed() -> None:
    assert parse_state_number("17") == 17
    for text in ("", "0", "-1", "1.0", " 1", "x", "²", "2147483648", "9" * 5_000):
        with pytest.raises(InvalidInputError, match="must be a whole number"):
            parse_state_number(text)
