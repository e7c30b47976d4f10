"""Words and numbers as the pages show them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from polyant.domain.turn_records import TurnOutcome

_UNITS = (
    (timedelta(days=1), "day", "days"),
    (timedelta(hours=1), "h", "h"),
    (timedelta(minutes=1), "min", "min"),
)
_THOUSAND = 1_000
_SECONDS_PER_MINUTE = 60

OUTCOMES: Mapping[TurnOutcome, tuple[str, str]] = {
    TurnOutcome.FINISHED: ("ok", "Finished"),
    TurnOutcome.FAILED: ("bad", "Failed"),
    TurnOutcome.TIMED_OUT: ("bad", "Timed out"),
    TurnOutcome.ABANDONED: ("", "Caller left"),
    TurnOutcome.SHUTDOWN: ("warn", "Server stopped"),
}
"""The badge and the word for each outcome of a turn."""

DONE: Mapping[str, str] = {
    "signed-in": "You’re signed in again. Nothing is saved yet: review it, then save.",
    "retry": "Nothing is saved yet: enter passwords and keys again, then save.",
    "signed-out": "You are signed out.",
    "settings": "Settings saved. They take effect with the next message.",
    "settings-address": "Settings saved. The end of the base URL was removed: it is added to the URL for each call.",
    "settings-address-key": "Settings saved. The end of the base URL was removed. Enter the key for the new address.",
    "settings-key": "Settings saved. The stored key is for the former address: enter the key for the new one.",
    "settings-no-key": "Settings saved. The new provider has no key yet: enter it, or set one for the whole server.",
    "options": "Options saved. They take effect with the next message.",
    "options-removed": "Options removed.",
    "access": "Access saved.",
    "enabled": "The instance is active again.",
    "disabled": "The instance is disabled: callers are refused until you enable it.",
    "revoked": "The key is revoked. Nobody gets in until you make a new one.",
    "secret": "Secret stored.",
    "secret-removed": "Secret removed.",
    "prompts": "Prompts saved. They take effect with the next message.",
    "tools": "Tools saved.",
    "mcp": "MCP server saved.",
    "mcp-tested": "MCP server saved. The test reached it and found its tools.",
    "mcp-removed": "MCP server removed.",
    "channel": "The channel is connected.",
    "channel-user": "Approved. The user may talk from now on.",
    "channel-replay": "The message will be answered again.",
    "channel-gone": "The channel is disconnected.",
    "channel-untold": "The channel is disconnected. Its platform may still call a webhook, here or elsewhere.",
    "skill": "Skill saved. It takes effect with the next message.",
    "skill-removed": "Skill removed.",
    "skill-file": "File saved.",
    "skill-file-removed": "File removed.",
    "restored": "The earlier state is saved again.",
    "restored-key": "The earlier state is saved again. The stored key is for another address: enter the right one.",
    "state-deleted": "That state is deleted from the history.",
    "conversation-deleted": "The conversation is deleted.",
    "deleted": "The instance is deleted.",
    "created": "Instance created.",
    "imported": "Instance imported. Its secrets aren’t part of the file: enter them now.",
    "password": "Password changed. Your other sessions have ended.",
    "sessions": "All sessions have ended.",
    "user": "User saved.",
    "user-created": "User created.",
    "user-deleted": "User deleted.",
}
"""The sentence for each code of `?done=`; an unknown code shows nothing."""

UNFINISHED = frozenset(
    {
        *("signed-in", "retry", "settings-key", "settings-address-key", "settings-no-key"),
        *("restored-key", "imported", "channel-untold"),
    }
)
"""The codes whose sentence asks for something without which the work isn't done; they look like warnings."""


def ago(moment: datetime, now: datetime) -> str:
    """Returns how long ago a moment was, in the largest whole unit, such as `3 h ago`."""
    passed = now - moment
    for unit, one, many in _UNITS:
        count = passed // unit
        if count >= 1:
            return f"{count} {one if count == 1 else many} ago"
    return "just now"


def number(value: float) -> str:
    """Returns a number with separators between thousands, such as `1,204`."""
    return f"{value:,.0f}"


def uptime(milliseconds: float) -> str:
    """Returns a long duration in its two largest units, such as `3 days 4 h`."""
    minutes = int(milliseconds // (_THOUSAND * _SECONDS_PER_MINUTE))
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} day{'' if days == 1 else 's'} {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def duration(milliseconds: float) -> str:
    """Returns a duration in the unit that fits, such as `840 ms`, `1.9 s` or `2 min 5 s`."""
    if milliseconds < _THOUSAND:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / _THOUSAND
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _SECONDS_PER_MINUTE)
    return f"{minutes} min {rest} s"
