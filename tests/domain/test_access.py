from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.domain.access import Credentials, authorise, bearer_of, holds_key
from polyant.domain.errors import AuthenticationError, SecretUnreadableError
from polyant.domain.instances import Instance, InstanceId, Slug
from polyant.domain.secrets import AUTH_API_KEY, SealedSecret, SecretAddress, SecretText

CIPHER = AesGcmSecretCipher(master_keys=[SecretText("0f" * 32)])
NOW = datetime(2026, 11, 22, 10, 44, tzinfo=UTC)
KEY = "sk-the-right-one"


def an_instance(*, auth_enabled: bool = True, key: str | None = KEY, id_: str = "0" * 32) -> Instance:
    instance = Instance(
        id=InstanceId(id_),
        slug=Slug("demo-bot"),
        name="Demo",
        provider="scripted",
        model="demo",
        auth_enabled=auth_enabled,
        created_at=NOW,
        updated_at=NOW,
    )
    if key is None:
        return instance
    sealed = CIPHER.seal(SecretText(key), SecretAddress(instance_id=id_, name=AUTH_API_KEY))
    secret = SealedSecret(name=AUTH_API_KEY, sealed=sealed, updated_at=NOW)
    return msgspec.structs.replace(instance, secrets={AUTH_API_KEY: secret})


class TestBearerOf:
    @pytest.mark.parametrize(
        "header", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER {KEY}", f"  Bearer {KEY}  ", f"Bearer   {KEY}"]
    )
    def test_token_is_found_whatever_the_case_and_the_spaces(self, header: str) -> None:
        token = bearer_of(header)
        assert token is not None
        assert token.reveal() == KEY

    @pytest.mark.parametrize(
        "header", [None, "", "   ", "Bearer", "Bearer ", "Bearer    ", KEY, f"Basic {KEY}", f"Bearers {KEY}"]
    )
    def test_without_a_token_of_that_scheme_there_is_none(self, header: str | None) -> None:
        assert bearer_of(header) is None


class TestAuthorise:
    def test_right_key_passes(self) -> None:
        authorise(an_instance(), SecretText(KEY), CIPHER)

    @pytest.mark.parametrize("bearer", [None, SecretText("sk-anything")])
    def test_anybody_passes_while_auth_is_off(self, bearer: SecretText | None) -> None:
        authorise(an_instance(auth_enabled=False), bearer, CIPHER)

    @pytest.mark.parametrize("key", [KEY, None])
    def test_no_bearer_is_refused(self, key: str | None) -> None:
        with pytest.raises(AuthenticationError, match=r"\AMissing Bearer token\Z"):
            authorise(an_instance(key=key), None, CIPHER)

    def test_instance_without_a_key_is_closed(self) -> None:
        with pytest.raises(AuthenticationError, match=r"\AAuth enabled but no API key configured\Z"):
            authorise(an_instance(key=None), SecretText(KEY), CIPHER)

    @pytest.mark.parametrize(
        "bearer", ["x", KEY[:-1], KEY + "x", KEY.upper(), KEY + "\0", "clé", "\ud800", "🗝" * 1_000]
    )
    def test_wrong_key_is_refused_and_not_shown(self, bearer: str) -> None:
        with pytest.raises(AuthenticationError, match=r"\AInvalid API key\Z"):
            authorise(an_instance(), SecretText(bearer), CIPHER)

    def test_key_of_another_instance_is_refused(self) -> None:
        other = an_instance(key="sk-of-another", id_="1" * 32)
        authorise(other, SecretText("sk-of-another"), CIPHER)
        with pytest.raises(AuthenticationError, match="Invalid API key"):
            authorise(an_instance(), SecretText("sk-of-another"), CIPHER)

    def test_key_copied_from_another_instances_row_does_not_open(self) -> None:
        other = an_instance(id_="1" * 32)
        thief = msgspec.structs.replace(an_instance(key=None), secrets=other.secrets)
        with pytest.raises(SecretUnreadableError):
            authorise(thief, SecretText(KEY), CIPHER)


class TestHoldsKey:
    @given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
    def test_bearer_holds_the_key_exactly_if_it_is_the_same_text(self, key: str, bearer: str) -> None:
        assert holds_key(an_instance(key=key), SecretText(bearer), CIPHER) == (key == bearer)
        assert holds_key(an_instance(key=key), SecretText(key), CIPHER)

    def test_nobody_holds_the_key_of_an_instance_without_one(self) -> None:
        assert not holds_key(an_instance(key=None), SecretText(KEY), CIPHER)

    def test_key_counts_whether_or_not_auth_is_on(self) -> None:
        assert holds_key(an_instance(auth_enabled=False), SecretText(KEY), CIPHER)


def test_credentials_do_not_show_their_secrets() -> None:
    assert KEY not in repr(Credentials(bearer=SecretText(KEY), cookie=SecretText(KEY)))
