"""The sentences of the audit pages."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import polyant.domain
from polyant.domain.audit import SERVER, Change
from polyant.http.panel.audit import KINDS, sentence_of

SERVER_KINDS = {"backup", "master_key"}
"""The kinds that concern the whole server; the page has no filter for them."""

_CHANGE = re.compile(r'Change\((?:[^"()]|\([^()]*\))*"([a-z_]+\.[a-z_]+)"')
ACTIONS = sorted(
    {action for file in Path(polyant.domain.__path__[0]).rglob("*.py") for action in _CHANGE.findall(file.read_text())}
)


def test_actions_are_found() -> None:
    assert {"instance.create", "skill.set", "channel.connect", "user.create"} <= {*ACTIONS}


@pytest.mark.parametrize("action", ACTIONS)
def test_every_change_is_a_sentence_and_has_a_filter(action: str) -> None:
    entry = Change(SERVER, action, ("detail",)).entry(datetime(2026, 1, 1, tzinfo=UTC))
    assert action not in sentence_of(entry)
    assert action.split(".", maxsplit=1)[0] in {*KINDS, *SERVER_KINDS}
