"""Tool that returns the current time in any time zone."""

import difflib
import functools
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from polyant.domain.ports.clock import Clock
from polyant.domain.ports.date_time_formatter import DateTimeFormatter
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext, ToolError

_MAX_SUGGESTIONS = 5


class CurrentTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of the clock."""

    timezone: Annotated[
        Annotated[str, msgspec.Meta(max_length=64)] | None,
        msgspec.Meta(description="IANA time zone, e.g. Europe/Rome or UTC. Without it: this assistant's own zone."),
    ] = None


class CurrentTimeTool(Tool):
    """Returns the time in an IANA time zone; the default is the server's configured zone."""

    name = "current_time"
    description = (
        "Returns the current date, time, weekday and UTC offset in any IANA time zone. "
        "Call it whenever the present moment matters, also to compare the time in several places."
    )
    arguments = CurrentTime
    secrets: tuple[SecretName, ...] = ()

    def __init__(self, *, clock: Clock, date_time_formatter: DateTimeFormatter) -> None:
        self._clock = clock
        self._formatter = date_time_formatter

    async def run(self, arguments: CurrentTime, context: ToolContext) -> str:  # noqa: ARG002 - the port's signature
        name = self._formatter.timezone_name() if arguments.timezone is None else _known_name(arguments.timezone)
        return _describe(self._clock.now().astimezone(ZoneInfo(name)).replace(microsecond=0), name)


def _describe(moment: datetime, zone: str) -> str:
    offset = f"{moment:%z}"
    return (
        f"Date: {moment:%Y-%m-%d}\n"
        f"Weekday: {moment:%A}\n"
        f"Time: {moment:%H:%M:%S}\n"
        f"Time zone: {zone} ({moment.tzname()}, UTC{offset[:3]}:{offset[3:5]})\n"
        f"ISO 8601: {moment.isoformat()}"
    )


def _known_name(text: str) -> str:
    """Returns the zone's name in the IANA database; ignores case, and treats spaces like `_`.

    Raises:
        ToolError: There is no such zone; the message suggests similar ones.
    """
    name = _zones().get(_folded(text))
    if name is None:
        similar = _similar_names(text)
        hint = f"did you mean {', '.join(similar)}?" if similar else "write it like Europe/Rome, Asia/Tokyo or UTC"
        raise ToolError(f"There is no time zone '{text}': {hint}")
    return name


def _similar_names(text: str) -> list[str]:
    """Returns the zones with a similar name or city."""
    cities: dict[str, list[str]] = {}
    for folded, name in _zones().items():
        for spelling in {folded, folded.rpartition("/")[2]}:
            cities.setdefault(spelling, []).append(name)
    similar = difflib.get_close_matches(_folded(text).strip("/"), cities, n=_MAX_SUGGESTIONS, cutoff=0.75)
    return list(dict.fromkeys(name for spelling in similar for name in cities[spelling]))[:_MAX_SUGGESTIONS]


@functools.cache
def _zones() -> Mapping[str, str]:
    """Returns each zone's name by its folded form; reads one file, where zoneinfo would open hundreds."""
    names = resources.files("tzdata").joinpath("zones").read_text("ascii").split()
    return {_folded(name): name for name in names}


def _folded(name: str) -> str:
    return "_".join(name.casefold().split())
