import time

import pytest

from polyant.domain.secrets import SecretText
from polyant.http.session_tokens import JwtSessionTokens
from polyant.testing.session_tokens import SessionTokensContract
from support.sessions import AUTH_SECRET, session_token


class TestJwtSessionTokens(SessionTokensContract):
    @pytest.fixture
    def tokens(self) -> JwtSessionTokens:
        return JwtSessionTokens(SecretText(AUTH_SECRET))

    @pytest.fixture
    def stranger(self) -> JwtSessionTokens:
        return JwtSessionTokens(SecretText("another secret of the tests, as long"))

    @pytest.fixture
    def expired(self) -> SecretText:
        return SecretText(session_token(exp=int(time.time()) - 10))
