import pytest

from polyant.adapters.system.token_source import SystemTokenSource
from polyant.testing.token_source import TokenSourceContract


class TestSystemTokenSource(TokenSourceContract):
    @pytest.fixture
    def tokens(self) -> SystemTokenSource:
        return SystemTokenSource()
