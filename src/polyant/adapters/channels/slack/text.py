"""Slack's text format: control sequences in texts of users, and their removal from texts that are sent."""

import html
import re

_SEQUENCE = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_NOTIFIES = re.compile(r"<(?=!(?:channel|here|everyone|subteam)|@[UWS])")
_ZERO_WIDTH_SPACE = "\u200b"
_COMMAND = re.compile(r"\A[/!](start|help|new)\b\s*", re.IGNORECASE)


def mentions(text: str, user: str) -> bool:
    """Returns whether the text mentions the user."""
    return bool(_mention_of(user).search(text))


def readable(text: str, *, without: str) -> str:
    """Returns a user's text as Markdown, without control sequences and without mentions of the user `without`."""
    text = _mention_of(without).sub("", text)
    return html.unescape(_SEQUENCE.sub(_replacement, text)).strip()


def split_command(text: str) -> tuple[str | None, str]:
    """Returns the command at the start of the text, or None, and the rest.

    Slack clients run `/` at the start of a direct message themselves, so `!` is accepted as well.
    """
    found = _COMMAND.match(text)
    return (found[1].lower(), text[found.end() :]) if found else (None, text)


def without_notifications(text: str) -> str:
    """Returns the Markdown with a zero-width space in each sequence that would notify users."""
    return _NOTIFIES.sub(f"<{_ZERO_WIDTH_SPACE}", text)


def escaped(text: str) -> str:
    """Returns the text so that Slack shows it as it is."""
    return html.escape(text, quote=False)


def _mention_of(user: str) -> re.Pattern[str]:
    return re.compile(rf"<@{re.escape(user)}(?:\|[^<>]*)?>")


def _replacement(found: re.Match[str]) -> str:
    kind, target, label = found[1], found[2], found[3]
    match kind:
        case "@" | "#":
            return f"{kind}{label or target}"
        case "!":
            return label or f"@{target.partition('^')[0]}"
    return target if not label or label == target.removeprefix("mailto:") else f"[{label}]({target})"
