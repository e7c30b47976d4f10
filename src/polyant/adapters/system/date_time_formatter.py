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
        self._describe_date = date_describer(locale)
        self._described: tuple[int | None, str, str] = (None, "", "")

    def describe(self, moment: datetime) -> str:
        return self._texts(moment)[1]

    def describe_date(self, moment: datetime) -> str:
        return self._texts(moment)[2]

    def timezone_name(self) -> str:
        return self._zone.key

    def _texts(self, moment: datetime) -> tuple[int | None, str, str]:
        minute = int(moment.timestamp() // _SECONDS_PER_MINUTE)
        if minute != self._described[0]:  # cached, because every turn needs the current minute
            local = moment.astimezone(self._zone)
            self._described = minute, self._describe(local), self._describe_date(local)
        return self._described


def describer(locale: str) -> Callable[[datetime], str]:
    """Returns a function that formats a local time in the locale.

    Raises:
        InvalidInputError: The locale is unknown.
    """
    if _is_american(locale):
        return _in_american_english
    return _by_babel(locale)


def date_describer(locale: str) -> Callable[[datetime], str]:
    """Returns a function that formats the date of a local time in the locale, which is a known one."""
    if _is_american(locale):
        return _american_date
    from babel.dates import format_date  # noqa: PLC0415 - imported only if needed

    return lambda moment: format_date(moment, "full", locale.replace("-", "_"))


def _is_american(locale: str) -> bool:
    return locale.replace("-", "_").lower() == "en_us"  # the default, without Babel's start-up time and memory


def _american_date(moment: datetime) -> str:
    return f"{_DAYS[moment.weekday()]}, {_MONTHS[moment.month - 1]} {moment.day}, {moment.year}"


def _in_american_english(moment: datetime) -> str:
    time = f"{moment.hour % _NOON or _NOON}:{moment:%M} {'AM' if moment.hour < _NOON else 'PM'}"
    return f"{_american_date(moment)} at {time}"


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
