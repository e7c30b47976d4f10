"""The settings as text, for --help and the README: one table, made from the settings themselves."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from polyant.domain.limits import RateLimit
from polyant.settings import Settings, variables

_WIDTH = 100


def settings_rows() -> Iterator[tuple[str, str, str]]:
    """Yields each variable: its name, what it does and must be, and what holds without it."""
    defaults = Settings()
    for field, variable in variables().items():
        default = variable.default or _shown(getattr(defaults, field))
        yield variable.name, f"{variable.says} ({variable.must_be})", default
    yield "OPENAI_API_KEY", "Key for instances of the provider openai that have none of their own", "none"
    yield "ANTHROPIC_API_KEY", "Key for instances of the provider anthropic that have none of their own", "none"


def settings_markdown() -> str:
    """Returns the settings as a Markdown table."""
    lines = ["| variable | what it does, and what it must be | without it |", "|---|---|---|"]
    lines += [f"| `{name}` | {says} | {default} |" for name, says, default in settings_rows()]
    return "\n".join(lines)


def _shown(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case RateLimit():
            return f"{value.requests}/{value.seconds}"
        case tuple():
            return ",".join(map(str, value))
        case Path():
            return f"{value} in the current folder"
        case _:
            return str(value)


def _lines() -> Iterator[str]:
    yield "environment (an empty variable counts as unset):"
    rows = list(settings_rows())
    column = max(len(name) for name, _, _ in rows) + 2
    for name, says, default in rows:
        yield from wrap(
            f"{name:<{column}}{says} [{default}]",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent=" " * (column + 2),
            break_on_hyphens=False,
        )


ENVIRONMENT_HELP = "\n".join(_lines())
