"""The check of the clock against the newest row."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.commands import Polyant
from support.doctor import Doctor, execute

STATEMENTS = {
    "instance": "UPDATE instances SET updated_at = '{}'",
    "audit entry": "UPDATE audit_log SET at = '{}' WHERE id = (SELECT min(id) FROM audit_log)",
    "turn": "INSERT INTO turns (slug, request_id, at, outcome, milliseconds, steps, tool_calls, failed_tool_calls, "
    "prompt_tokens, completion_tokens, streamed) VALUES ('demo-bot', 'r', '{}', 'finished', 1, 1, 0, 0, 0, 0, 0)",
}


def store_row(home: Path, kind: str, *, at: datetime) -> None:
    execute(home, STATEMENTS[kind].format(at.strftime("%Y-%m-%d %H:%M:%S.%f+00:00")))


@pytest.mark.parametrize("kind", STATEMENTS)
def test_clock_before_the_newest_row_is_a_warning(findings: Doctor, home: Path, kind: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=3)
    store_row(home, kind, at=later)
    [(state, about, message)] = findings()
    assert (state, about) == ("warning", "clock")
    assert f"but the newest row is of {later.strftime('%Y-%m-%dT%H:%M:%SZ')}" in message
    assert "timedatectl set-ntp true" in message


def test_small_difference_between_hosts_is_fine(polyant: Polyant, findings: Doctor, home: Path) -> None:
    store_row(home, "instance", at=datetime.now(UTC) + timedelta(seconds=30))
    assert findings() == []
    assert "is at most a minute behind the newest row" in polyant("doctor", API_PORT="0").stdout
