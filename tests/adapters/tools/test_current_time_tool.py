from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest

from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.adapters.tools.current_time_tool import CurrentTime, CurrentTimeTool
from polyant.domain.tools import ToolError
from polyant.testing.manual_clock import ManualClock
from polyant.testing.tool import CONTEXT


async def describe_time(
    timezone: str | None, moment: datetime = datetime(2026, 11, 22, 10, 44, 7, 999_999, UTC)
) -> str:
    formatter = SystemDateTimeFormatter(timezone="Europe/Rome", locale="en-US")
    tool = CurrentTimeTool(clock=ManualClock(moment), date_time_formatter=formatter)
    return await tool.run(CurrentTime(timezone), CONTEXT)


async def test_result_has_date_weekday_time_zone_and_offset() -> None:
    assert await describe_time("Asia/Kathmandu") == (
        "Date: 2026-11-22\n"
        "Weekday: Sunday\n"
        "Time: 16:29:07\n"
        "Time zone: Asia/Kathmandu (+0545, UTC+05:45)\n"
        "ISO 8601: 2026-11-22T16:29:07+05:45"
    )


async def test_default_zone_is_the_operators() -> None:
    told = await describe_time(None)
    assert "Time zone: Europe/Rome (CET, UTC+01:00)" in told
    assert "ISO 8601: 2026-11-22T11:44:07+01:00" in told


async def test_summer_time_is_applied() -> None:
    assert "Europe/Rome (CEST, UTC+02:00)" in await describe_time("Europe/Rome", datetime(2026, 7, 1, tzinfo=UTC))


async def test_date_and_weekday_are_local() -> None:
    told = await describe_time("Pacific/Kiritimati")
    assert "Date: 2026-11-23\nWeekday: Monday" in told


async def test_zone_west_of_greenwich_has_a_negative_offset() -> None:
    assert "Time zone: America/St_Johns (NST, UTC-03:30)" in await describe_time("America/St_Johns")


@pytest.mark.parametrize("written", ["america/new_york", "America/New York", " AMERICA/NEW_YORK "])
async def test_zone_spelling_is_lenient(written: str) -> None:
    assert "Time zone: America/New_York (EST, UTC-05:00)" in await describe_time(written)


async def test_every_python_zone_is_known() -> None:
    """This excludes zones that exist only in the machine's database."""
    for name in available_timezones() - {"localtime", "posixrules"}:
        if not name.startswith(("posix/", "right/", "SystemV/")) and name != "Factory":
            assert f"Time zone: {ZoneInfo(name).key} (" in await describe_time(name)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Europe/Roma", "Europe/Rome"),
        ("Rome", "Europe/Rome"),
        ("New York", "America/New_York"),
        ("Asia/Calcuta", "Asia/Calcutta"),
        ("Tokio", "Asia/Tokyo"),
    ],
)
async def test_unknown_zone_gets_similar_suggestions(written: str, meant: str) -> None:
    with pytest.raises(ToolError, match=f"There is no time zone '{written}': did you mean .*{meant}"):
        await describe_time(written)


@pytest.mark.parametrize(
    "written", ["", "Nowhere at all", "../../etc/passwd", "/etc/localtime", "U\0TC", "Europe", "🐜"]
)
async def test_unrecognisable_zone_gets_an_example(written: str) -> None:
    with pytest.raises(ToolError, match="There is no time zone"):
        await describe_time(written)
