"""The settings and exit codes as text for `--help` and for the generated reference pages."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap

import msgspec

from polyant.domain.limits import RateLimit
from polyant.settings import Settings, variables

_WIDTH = 100

EXIT_CODES: Mapping[int, str] = {
    0: "success",
    1: "failure; for `polyant doctor`, at least one check failed",
    2: "invalid usage or value",
    3: "invalid settings, or unusable data, database or keys",
    4: "not found",
    5: "conflict: already exists, or was changed meanwhile",
    6: "read-only: the adapter INSTANCE_REPO accepts no changes",
}


class SettingRow(msgspec.Struct, frozen=True):
    """The texts that describe one environment variable."""

    name: str
    description: str
    allowed: str
    default: str


def setting_rows() -> Iterator[SettingRow]:
    """Yields a row for each environment variable, in the order of `Settings`."""
    defaults = Settings()
    for field, variable in variables().items():
        default = variable.default or _shown(getattr(defaults, field))
        yield SettingRow(variable.name, variable.description, variable.allowed, default)
    for provider in ("openai", "anthropic"):
        description = f"API key for instances of the provider {provider} without a key of their own"
        yield SettingRow(f"{provider.upper()}_API_KEY", description, "8 to 512 visible ASCII characters", "none")


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
    yield "exit codes:"
    yield from (f"  {code}  {meaning}" for code, meaning in EXIT_CODES.items())
    yield ""
    yield "environment (an empty variable counts as unset):"
    rows = list(setting_rows())
    column = max(len(row.name) for row in rows) + 2
    for row in rows:
        yield from wrap(
            f"{row.name:<{column}}{row.description} [{row.allowed}; default: {row.default}]",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent=" " * (column + 2),
            break_on_hyphens=False,
        )


EPILOG = "\n".join(_lines())
