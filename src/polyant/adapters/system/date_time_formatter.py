"""DateTimeFormatter on Python's time zones and Babel's locales."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from polyant.domain.errors import InvalidInputError
from polyant.domain.ports.date_time_formatter import DateTimeFormatter

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NOON = 12
_SECONDS_PER_MINUTE = 60


class SystemDateTimeFormatter(DateTimeFormatter):
    """Formats times in a time zone and a language.

    Args:
        timezone: An IANA name, e.g. `Europe/Rome`.
        locale: A language and optionally a country, as `it-IT` or `it_IT`.

    Raises:
        InvalidInputError: The time zone or the locale is unknown.
    """

    def __init__(self, *, timezone: str, locale: str) -> None:
        self._zone = _zone_of(timezone)
        self._describe = describer(locale)
        self._described: tuple[int | None, str] = (None, "")

    def describe(self, moment: datetime) -> str:
        minute = int(moment.timestamp() // _SECONDS_PER_MINUTE)
        if minute != self._described[0]:  # cached, because every turn needs the current minute
            self._described = minute, self._describe(moment.astimezone(self._zone))
        return self._described[1]

    def timezone_name(self) -> str:
        return self._zone.key


def describer(locale: str) -> Callable[[datetime], str]:
    """Returns a function that formats a local time in the locale.

    Raises:
        InvalidInputError: The locale is unknown.
    """
    if locale.replace("-", "_").lower() == "en_us":  # the default, without Babel's start-up time and memory
        return _in_american_english
    return _by_babel(locale)


def _in_american_english(moment: datetime) -> str:
    date = f"{_DAYS[moment.weekday()]}, {_MONTHS[moment.month - 1]} {moment.day}, {moment.year}"
    return f"{date} at {moment.hour % _NOON or _NOON}:{moment:%M} {'AM' if moment.hour < _NOON else 'PM'}"


def _by_babel(locale: str) -> Callable[[datetime], str]:
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415 - imported only if needed
    from babel.dates import format_date, format_time, get_datetime_format  # noqa: PLC0415 - the same

    try:
        known = Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise InvalidInputError("A locale must be a language and a country in Unicode CLDR, e.g. en-US") from None
    pattern = str(get_datetime_format("full", known)).replace(
        "'", ""
    )  # quotes mark literal text, as in "{1} 'a' 'las' {0}"

    def describe(moment: datetime) -> str:
        return pattern.format(format_time(moment, "short", locale=known), format_date(moment, "full", known))

    return describe


def _zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: the name of a directory, e.g. `Europe`
        raise InvalidInputError("A time zone must be an IANA name, e.g. Europe/Rome or UTC") from None
