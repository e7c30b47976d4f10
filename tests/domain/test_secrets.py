import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.errors import InvalidInputError
from polyant.domain.secrets import (
    AUTH_API_KEY,
    CALLER_KEYS,
    SealedSecret,
    SecretName,
    SecretText,
    parse_secret_name,
    parse_secret_value,
)

NOTE = SecretName("signing_note")
VENDOR_KEY = SecretName("vendor_api_key")


def test_text_of_a_secret_does_not_show_it() -> None:
    secret = SecretText("sk-hidden")
    assert "hidden" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "sk-hidden"


def test_secret_is_not_encoded() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode({"key": SecretText("sk-hidden")})


def test_secrets_are_not_compared_or_hashed() -> None:
    with pytest.raises(TypeError, match="compare_digest"):
        assert SecretText("a") == SecretText("a")
    with pytest.raises(TypeError, match="compare_digest"):
        assert SecretText("a") != "a"
    with pytest.raises(TypeError, match="unhashable"):
        hash(SecretText("a"))


def test_sealed_secret_shows_its_name_only() -> None:
    sealed = SealedSecret(
        name=AUTH_API_KEY, sealed="v1.abc.def", updated_at=datetime(2026, 1, 1, tzinfo=UTC), fingerprint="f00"
    )
    assert repr(sealed) == "SealedSecret(name='auth_api_key')"


def test_sealed_secret_is_valid_until_it_expires() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    lasting = SealedSecret(name=NOTE, sealed="v1.abc.def", updated_at=moment)
    expiring = msgspec.structs.replace(lasting, expires_at=moment)
    assert lasting.is_valid_at(moment + timedelta(days=99_999))
    assert expiring.is_valid_at(moment - timedelta(microseconds=1))
    assert not expiring.is_valid_at(moment)


@given(st.from_regex(r"\A[a-z][a-z0-9_]{0,63}\Z"))
def test_valid_name_is_accepted(text: str) -> None:
    assert parse_secret_name(text) == text


@given(st.text())
def test_name_is_accepted_only_if_it_follows_the_rule(text: str) -> None:
    letters, rest = set("abcdefghijklmnopqrstuvwxyz"), set("abcdefghijklmnopqrstuvwxyz0123456789_")
    fits = 1 <= len(text) <= 64 and text[0] in letters and set(text) <= rest
    assert _accepts_name(text) == fits


@pytest.mark.parametrize("text", ["", "a" * 65, "1a", "_a", "A", "a-b", "a b", "a\n", "é", "a.b"])
def test_invalid_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="1 to 64 characters: a-z, 0-9 and _"):
        parse_secret_name(text)


@given(st.text(min_size=1, max_size=200).filter(lambda text: "\0" not in text))
def test_value_may_be_any_text(text: str) -> None:
    assert parse_secret_value(NOTE, text).reveal() == text


@given(st.from_regex(r"\A[!-~]{16,100}\Z"))
def test_key_may_be_any_visible_ascii(text: str) -> None:
    assert parse_secret_value(AUTH_API_KEY, text).reveal() == text


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "a" * 16_385])
def test_empty_or_overlong_value_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="1 to 16384 characters"):
        parse_secret_value(NOTE, text)


def test_longest_value_is_accepted() -> None:
    assert parse_secret_value(NOTE, "a" * 16_384).reveal() == "a" * 16_384


@pytest.mark.parametrize(
    "text",
    ["short-1", "a" * 513, "with space", "line-break\n", "\rinjected", "umlaut-äöü", "tab\tinside", "del\x7fete"],
)
def test_key_invalid_in_a_header_is_refused_without_showing_it(text: str) -> None:
    for name, minimum in ((VENDOR_KEY, 8), (AUTH_API_KEY, 16)):
        with pytest.raises(InvalidInputError, match=f"{name} must be {minimum} to 512 visible ASCII") as caught:
            parse_secret_value(name, text)
        assert not re.search(re.escape(text), str(caught.value))


@pytest.mark.parametrize(("name", "length"), [(VENDOR_KEY, 8), (VENDOR_KEY, 512), (AUTH_API_KEY, 16)])
def test_shortest_and_longest_key_are_accepted(name: SecretName, length: int) -> None:
    assert parse_secret_value(name, "k" * length).reveal() == "k" * length


@pytest.mark.parametrize("name", CALLER_KEYS)
def test_chosen_key_for_callers_that_could_be_guessed_is_refused(name: SecretName) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} must be 16 to 512 visible ASCII"):
        parse_secret_value(name, "k" * 15)


def _accepts_name(text: str) -> bool:
    try:
        parse_secret_name(text)
    except InvalidInputError:
        return False
    return True
