import pytest

from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.testing.date_time_formatter import DateTimeFormatterContract


class TestSystemDateTimeFormatter(DateTimeFormatterContract):
    @pytest.fixture
    def formatter(self) -> SystemDateTimeFormatter:
        return SystemDateTimeFormatter(timezone="Asia/Kathmandu", locale="en-US")


class TestSystemDateTimeFormatterInItalian(DateTimeFormatterContract):
    @pytest.fixture
    def formatter(self) -> SystemDateTimeFormatter:
        return SystemDateTimeFormatter(timezone="Europe/Rome", locale="it-IT")
