import subprocess
import sys
from datetime import UTC, datetime

import pytest

from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter, describer
from polyant.domain.errors import InvalidInputError

MOMENT = datetime(2026, 11, 22, 10, 44, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (datetime(2026, 11, 22, 10, 44, tzinfo=UTC), "Sunday, November 22, 2026 at 10:44 AM"),
        (datetime(2026, 1, 1, 0, 0, tzinfo=UTC), "Thursday, January 1, 2026 at 12:00 AM"),
        (datetime(2026, 1, 1, 12, 5, tzinfo=UTC), "Thursday, January 1, 2026 at 12:05 PM"),
        (datetime(2028, 2, 29, 23, 59, tzinfo=UTC), "Tuesday, February 29, 2028 at 11:59 PM"),
        (datetime(2026, 12, 5, 9, 9, tzinfo=UTC), "Saturday, December 5, 2026 at 9:09 AM"),
    ],
)
@pytest.mark.parametrize("locale", ["en-US", "en_US", "en-us"])
def test_american_english_is_formatted_as_specified(moment: datetime, words: str, locale: str) -> None:
    assert describer(locale)(moment) == words


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("it-IT", "domenica 22 novembre 2026 10:44"),
        ("it_IT", "domenica 22 novembre 2026 10:44"),
        ("it", "domenica 22 novembre 2026 10:44"),
        ("de-DE", "Sonntag, 22. November 2026, 10:44"),
        ("ja-JP", "2026年11月22日日曜日 10:44"),
        ("zh-Hant-TW", "2026年11月22日 星期日 上午10:44"),
    ],
)
def test_other_languages_are_formatted_as_unicode_cldr_specifies(locale: str, words: str) -> None:
    assert describer(locale)(MOMENT) == words


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en-US", "Sunday, November 22, 2026"),
        ("it-IT", "domenica 22 novembre 2026"),
        ("de-DE", "Sonntag, 22. November 2026"),
    ],
)
def test_date_is_formatted_in_the_locale(locale: str, words: str) -> None:
    assert SystemDateTimeFormatter(timezone="UTC", locale=locale).describe_date(MOMENT) == words


def test_date_is_that_of_the_time_zone() -> None:
    late = MOMENT.replace(hour=23, minute=30)
    rome = SystemDateTimeFormatter(timezone="Europe/Rome", locale="en-US")
    assert rome.describe_date(late) == "Monday, November 23, 2026"


def test_words_between_date_and_time_are_not_quoted() -> None:
    assert describer("oc-FR")(MOMENT) == "dimenge 22 de novembre de 2026 a 10h44"


@pytest.mark.parametrize("locale", ["", "xx-YY", "english", "en-US\0", "../../etc/passwd", "12", "é"])
def test_unknown_locale_is_refused(locale: str) -> None:
    with pytest.raises(InvalidInputError, match="A locale must be"):
        SystemDateTimeFormatter(timezone="UTC", locale=locale)


@pytest.mark.parametrize(
    "timezone",
    [
        "",
        "Rome",
        "europe/nowhere",
        "Europe",
        "/etc/localtime",
        "../../etc/localtime",
        "U\0TC",
        "tzdata.zi",
        "x" * 5_000,
    ],
)
def test_unknown_time_zone_is_refused(timezone: str) -> None:
    with pytest.raises(InvalidInputError, match="A time zone must be"):
        SystemDateTimeFormatter(timezone=timezone, locale="en-US")


def test_time_is_described_in_the_operators_zone() -> None:
    """The two zones are 25 hours apart, so their dates always differ."""
    zones = ("Pacific/Kiritimati", "Pacific/Pago_Pago")
    east, west = (SystemDateTimeFormatter(timezone=zone, locale="en-US").describe(MOMENT) for zone in zones)
    assert east.split(",")[0] != west.split(",")[0]


def test_american_english_does_not_import_babel() -> None:
    code = (
        "import datetime, sys\n"
        "from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter\n"
        "SystemDateTimeFormatter(timezone='UTC', locale='en-US').describe(datetime.datetime.now(datetime.UTC))\n"
        "assert 'babel' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
