"""The contract of the port DateTimeFormatter."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from polyant.domain.ports.date_time_formatter import DateTimeFormatter
from polyant.testing.contract import Contract, proves

MOMENT = datetime(2026, 11, 22, 10, 44, 30, tzinfo=UTC)


class DateTimeFormatterContract(Contract):
    """The tests that every DateTimeFormatter must pass.

    Subclasses provide one that formats years like 2026 and minutes like 07.
    """

    @pytest.fixture
    def formatter(self) -> DateTimeFormatter:
        raise NotImplementedError("return the formatter under test")

    def test_implements_the_port(self, formatter: DateTimeFormatter) -> None:
        assert isinstance(formatter, DateTimeFormatter)

    @proves("Returns the date and time of an aware datetime as text, to the minute.")
    @pytest.mark.parametrize("moment", [MOMENT, MOMENT + timedelta(days=100, minutes=13), MOMENT - timedelta(hours=7)])
    def test_text_describes_moment_in_operators_time_zone(self, formatter: DateTimeFormatter, moment: datetime) -> None:
        local = moment.astimezone(ZoneInfo(formatter.timezone_name()))
        words = formatter.describe(moment)
        assert f"{local.year}" in words
        assert f"{local.day}" in words
        assert f"{local:%M}" in words

    def test_text_does_not_depend_on_time_zone_of_argument(self, formatter: DateTimeFormatter) -> None:
        elsewhere = MOMENT.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
        assert formatter.describe(elsewhere) == formatter.describe(MOMENT)

    @proves("Returns the date and time of an aware datetime as text, to the minute.")
    def test_text_changes_only_with_the_minute(self, formatter: DateTimeFormatter) -> None:
        words = formatter.describe(MOMENT)
        assert formatter.describe(MOMENT + timedelta(seconds=29)) == words
        assert formatter.describe(MOMENT + timedelta(seconds=30)) != words
        assert formatter.describe(MOMENT) == words

    @proves("Returns the date of an aware datetime as text, without the time; the text changes once a day.")
    def test_date_changes_only_with_the_local_day(self, formatter: DateTimeFormatter) -> None:
        midnight = datetime(2026, 11, 22, tzinfo=ZoneInfo(formatter.timezone_name()))
        day = formatter.describe_date(midnight)
        assert "2026" in day
        assert "22" in day
        assert formatter.describe_date(midnight + timedelta(hours=23, minutes=59)) == day
        assert formatter.describe_date(midnight + timedelta(days=1)) != day
        assert formatter.describe_date(midnight) == day

    @proves("Returns the IANA name of the operator's time zone, e.g. `Europe/Rome`.")
    def test_timezone_name_is_an_iana_name(self, formatter: DateTimeFormatter) -> None:
        name = formatter.timezone_name()
        assert ZoneInfo(name).key == name
