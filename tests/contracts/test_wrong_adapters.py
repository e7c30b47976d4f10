"""The kits refuse adapters that each break one promise, by exactly these tests."""

import pytest

from contracts.expected_refusals import REFUSALS
from support.refusals import WRONG, refusals_of

TESTED_ELSEWHERE = {"chat_models", "rate_limiters", "secret_ciphers", "supervisors"}


@pytest.mark.parametrize(("module", "wrong"), [(module, wrong) for module in REFUSALS for wrong in REFUSALS[module]])
def test_kit_refuses_wrong_adapter(module: str, wrong: str) -> None:
    assert refusals_of(module)[wrong] == REFUSALS[module][wrong]


@pytest.mark.parametrize("module", REFUSALS)
def test_every_wrong_adapter_is_listed(module: str) -> None:
    assert refusals_of(module).keys() == REFUSALS[module].keys()


def test_every_module_is_listed() -> None:
    assert {path.stem for path in WRONG.glob("*.py")} == REFUSALS.keys() | TESTED_ELSEWHERE
