"""The contract of the port SessionTokens."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from polyant.domain.access import Session
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.secrets import SecretText
from polyant.testing.contract import Contract, proves

RUBBISH = ("", ".", "..", "a.b.c", "Bearer", "é.é.é", "\0", "\ud800.\ud800.\ud800", "A" * 10_000)


class SessionTokensContract(Contract):
    """The tests that every SessionTokens must pass; subclasses provide two of them, and an expired token."""

    @pytest.fixture
    def tokens(self) -> SessionTokens:
        raise NotImplementedError("return the SessionTokens under test")

    @pytest.fixture
    def stranger(self) -> SessionTokens:
        raise NotImplementedError("return SessionTokens with another secret")

    @pytest.fixture
    def expired(self) -> SecretText:
        raise NotImplementedError("return an expired token that `tokens` issued")

    @pytest.fixture
    def session(self) -> Session:
        expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        return Session(user_id="0" * 32, token_id="f" * 32, expires_at=expires_at)

    def test_implements_the_port(self, tokens: SessionTokens) -> None:
        assert isinstance(tokens, SessionTokens)

    @proves(
        "Returns a token that authenticates the session until it expires; the token is a valid header value.",
        "Returns the session that the token was issued for, with its expiry truncated to whole seconds.",
    )
    def test_token_verifies_as_its_session(self, tokens: SessionTokens, session: Session) -> None:
        assert tokens.verify(tokens.issue(session)) == session

    @proves("Returns the session that the token was issued for, with its expiry truncated to whole seconds.")
    def test_expiry_is_truncated_to_whole_seconds(self, tokens: SessionTokens, session: Session) -> None:
        later = replace(session, expires_at=session.expires_at + timedelta(microseconds=999_999))
        assert tokens.verify(tokens.issue(later)) == session

    def test_different_sessions_have_different_tokens(self, tokens: SessionTokens, session: Session) -> None:
        others = [replace(session, token_id="e" * 32), replace(session, user_id="1" * 32)]
        issued = {tokens.issue(each).reveal() for each in (session, *others)}
        assert len(issued) == 3

    @proves("Returns a token that authenticates the session until it expires; the token is a valid header value.")
    def test_token_is_valid_header_value(self, tokens: SessionTokens, session: Session) -> None:
        text = tokens.issue(session).reveal()
        assert text.isascii()
        assert text.isprintable()
        assert " " not in text

    @proves("Returns None if the token is malformed, forged, expired or intended for another audience.")
    def test_expired_token_is_rejected(self, tokens: SessionTokens, expired: SecretText) -> None:
        assert tokens.verify(expired) is None

    @proves("Returns None if the token is malformed, forged, expired or intended for another audience.")
    def test_token_from_another_secret_is_rejected(
        self, tokens: SessionTokens, stranger: SessionTokens, session: Session
    ) -> None:
        assert tokens.verify(stranger.issue(session)) is None

    def test_token_with_any_changed_character_but_the_last_is_rejected(
        self, tokens: SessionTokens, session: Session
    ) -> None:
        """Base64 may ignore some bits of the last character."""
        text = tokens.issue(session).reveal()
        for at in range(len(text) - 1):
            other = "A" if text[at] != "A" else "B"
            assert tokens.verify(SecretText(text[:at] + other + text[at + 1 :])) is None

    def test_truncated_or_extended_token_is_rejected(self, tokens: SessionTokens, session: Session) -> None:
        text = tokens.issue(session).reveal()
        for damaged in (text[1:], text[:-1], text + "x", "x" + text, text + "." + text):
            assert tokens.verify(SecretText(damaged)) is None

    @proves("Returns None if the token is malformed, forged, expired or intended for another audience.")
    @pytest.mark.parametrize("rubbish", RUBBISH)
    def test_malformed_token_is_rejected(self, tokens: SessionTokens, rubbish: str) -> None:
        assert tokens.verify(SecretText(rubbish)) is None
