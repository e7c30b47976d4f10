import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.adapters.mcp.tool_names import names_for

VALID = re.compile(r"crm__[a-zA-Z0-9_-]{1,59}")


@pytest.mark.parametrize("tool", ["find", "Find-2", "find_it", "x" * 59])
def test_valid_name_is_kept(tool: str) -> None:
    assert names_for("crm", [tool]) == {tool: f"crm__{tool}"}


@pytest.mark.parametrize("tool", ["a.b", "a/b", "x" * 60, "é", "a b", "a\n", "…", "\ud800"])
def test_other_name_gets_an_alias(tool: str) -> None:
    alias = names_for("crm", [tool])[tool]
    assert VALID.fullmatch(alias)
    assert alias != f"crm__{tool}"


def test_aliases_are_stable_across_versions() -> None:
    assert names_for("crm", ["orders/find.all"]) == {"orders/find.all": "crm__orders_find_all_bfea4e05"}


def test_alias_does_not_depend_on_other_tools() -> None:
    assert names_for("crm", ["a.b"])["a.b"] == names_for("crm", ["z", "a.b", "a/b", "a_b"])["a.b"]


def test_alias_that_is_a_tools_own_name_gets_more_digits() -> None:
    short = names_for("crm", ["a.b"])["a.b"]
    own = short.removeprefix("crm__")
    for tools in (["a.b", own], [own, "a.b"]):
        names = names_for("crm", tools)
        assert names[own] == short
        assert re.fullmatch(r"crm__a_b_[0-9a-f]{16}", names["a.b"])


@given(st.sets(st.text(min_size=1) | st.text("ab./_", min_size=1)))
def test_names_are_valid_and_distinct(tools: set[str]) -> None:
    names = names_for("crm", tools)
    assert names.keys() == tools
    assert len(set(names.values())) == len(tools)
    assert all(VALID.fullmatch(name) for name in names.values())
