"""Valid and invalid session tokens."""

import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyant.domain.access import Session
from polyant.domain.secrets import SecretText
from polyant.http.session_tokens import JwtSessionTokens
from support.sessions import AUTH_SECRET, session_token

NOW = int(time.time())
TOKENS = JwtSessionTokens(SecretText(AUTH_SECRET))


def verify(token: str) -> Session | None:
    return TOKENS.verify(SecretText(token))


def segment(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def test_valid_token_yields_user_token_id_and_expiry() -> None:
    expires = NOW + 100_000
    assert verify(session_token(sub="user-9", jti="token-9", exp=expires)) == Session(
        user_id="user-9", token_id="token-9", expires_at=datetime.fromtimestamp(expires, UTC)
    )


NESTED = segment(b'{"alg":"HS256","x":' + b"[" * 100_000)
INVALID_ALGORITHM = segment(b'{"alg":["HS256"]}')

BAD = {
    "expired": session_token(exp=NOW - 10),
    "of another secret": session_token(secret="another secret of the tests, as long"),
    "unsigned": session_token(secret="", algorithm="none"),
    "of another algorithm": session_token(secret=AUTH_SECRET * 2, algorithm="HS512"),
    "for another audience": session_token(aud="somebody else"),
    "from another issuer": session_token(iss="somebody else"),
    "issued in the future": session_token(iat=NOW + 100_000),
    "not yet valid": session_token(nbf=NOW + 100_000),
    "without a user": session_token(sub=None),
    "with an empty user": session_token(sub=""),
    "without an expiry": session_token(exp=None),
    "without a time of issue": session_token(iat=None),
    "without an id": session_token(jti=None),
    "with an empty id": session_token(jti=""),
    "without an issuer": session_token(iss=None),
    "without an audience": session_token(aud=None),
    "with a suffix": session_token() + "x",
    "without a signature": session_token().rpartition(".")[0] + ".",
    "with a changed payload": ".".join([*session_token().split(".")[:1], segment(b"{}"), session_token()[-43:]]),
    "empty": "",
    "of dots": "..",
    "of text": "a.b.c",
    "not ASCII": "é.é.é",
    "nested deeply": f"{NESTED}.{segment(b'{}')}.AAAA",
    "with an invalid algorithm": f"{INVALID_ALGORITHM}.{segment(b'{}')}.AAAA",
}


@pytest.mark.parametrize("what", BAD)
def test_token_is_invalid_if_it_is(what: str) -> None:
    assert verify(BAD[what]) is None


tokens = st.lists(
    st.binary(max_size=60).map(segment) | st.sampled_from(session_token().split(".")) | st.text(max_size=20), max_size=5
).map(".".join)


@given(tokens.filter(lambda token: token != session_token()))
@example("\ud800.\ud800.\ud800")
def test_malformed_token_is_invalid_and_never_raises(token: str) -> None:
    assert verify(token) is None or token.split(".")[:2] == session_token().split(".")[:2]


signed_claims = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ["sub", "jti", "exp", "iat", "nbf", "iss", "aud", "extras"],
        st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=5), max_size=2),
    ),
)


@given(signed_claims)
@example({"extras": 5, "other": 1})
@example({"exp": 10**30})
@example({"exp": float("inf")})
@example({"iat": float("nan")})
def test_signed_token_with_malformed_claims_never_raises(claims: dict[str, Any]) -> None:
    verify(session_token(**claims))
