from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.domain.access import Credentials, authorise, bearer_of, matching_key
from polyant.domain.errors import AuthenticationError, SecretUnreadableError
from polyant.domain.instances import Instance, InstanceId, Slug
from polyant.domain.secrets import (
    AUTH_API_KEY,
    PREVIOUS_AUTH_API_KEY,
    SealedSecret,
    SecretAddress,
    SecretName,
    SecretText,
)
from support.coroutines import result_of

CIPHER = AesGcmSecretCipher(master_keys=[SecretText("0f" * 32)])
NOW = datetime(2026, 11, 22, 10, 44, tzinfo=UTC)
KEY = "sk-the-right-one"
OLD_KEY = "sk-the-one-before"
MOMENT = timedelta(microseconds=1)


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
    return instance if key is None else holding(instance, AUTH_API_KEY, key)


def holding(instance: Instance, name: SecretName, key: str, *, expires_at: datetime | None = None) -> Instance:
    """Returns the instance with an additional key."""
    sealed = result_of(CIPHER.seal(SecretText(key), SecretAddress(instance_id=instance.id, name=name)))
    secret = SealedSecret(name=name, sealed=sealed, updated_at=NOW, expires_at=expires_at)
    return msgspec.structs.replace(instance, secrets={**instance.secrets, name: secret})


class TestBearerOf:
    @pytest.mark.parametrize(
        "header", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER {KEY}", f"  Bearer {KEY}  ", f"Bearer   {KEY}"]
    )
    def test_token_is_found_in_any_case_and_spacing(self, header: str) -> None:
        token = bearer_of(header)
        assert token is not None
        assert token.reveal() == KEY

    @pytest.mark.parametrize(
        "header", [None, "", "   ", "Bearer", "Bearer ", "Bearer    ", KEY, f"Basic {KEY}", f"Bearers {KEY}"]
    )
    def test_header_without_a_bearer_token_yields_none(self, header: str | None) -> None:
        assert bearer_of(header) is None


class TestAuthorise:
    async def test_right_key_passes(self) -> None:
        await authorise(an_instance(), SecretText(KEY), CIPHER, NOW)

    @pytest.mark.parametrize("bearer", [None, SecretText("sk-anything")])
    async def test_any_caller_passes_while_auth_is_off(self, bearer: SecretText | None) -> None:
        await authorise(an_instance(auth_enabled=False), bearer, CIPHER, NOW)

    @pytest.mark.parametrize("key", [KEY, None])
    async def test_missing_bearer_is_refused(self, key: str | None) -> None:
        with pytest.raises(AuthenticationError, match=r"\AMissing Bearer token\Z"):
            await authorise(an_instance(key=key), None, CIPHER, NOW)

    async def test_instance_without_a_key_is_closed(self) -> None:
        with pytest.raises(AuthenticationError, match=r"\AAuth enabled but no API key configured\Z"):
            await authorise(an_instance(key=None), SecretText(KEY), CIPHER, NOW)

    @pytest.mark.parametrize(
        "bearer", ["x", KEY[:-1], KEY + "x", KEY.upper(), KEY + "\0", "clé", "\ud800", "🗝" * 1_000]
    )
    async def test_wrong_key_is_refused_without_showing_it(self, bearer: str) -> None:
        with pytest.raises(AuthenticationError, match=r"\AInvalid API key\Z"):
            await authorise(an_instance(), SecretText(bearer), CIPHER, NOW)

    async def test_key_of_another_instance_is_refused(self) -> None:
        other = an_instance(key="sk-of-another", id_="1" * 32)
        await authorise(other, SecretText("sk-of-another"), CIPHER, NOW)
        with pytest.raises(AuthenticationError, match="Invalid API key"):
            await authorise(an_instance(), SecretText("sk-of-another"), CIPHER, NOW)

    async def test_key_copied_from_another_instances_row_does_not_open(self) -> None:
        other = an_instance(id_="1" * 32)
        thief = msgspec.structs.replace(an_instance(key=None), secrets=other.secrets)
        with pytest.raises(SecretUnreadableError):
            await authorise(thief, SecretText(KEY), CIPHER, NOW)


class TestHoldsKey:
    @given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
    async def test_bearer_matches_the_key_only_if_equal(self, key: str, bearer: str) -> None:
        held = await matching_key(an_instance(key=key), SecretText(bearer), CIPHER, NOW)
        assert (held is not None) == (key == bearer)
        assert await matching_key(an_instance(key=key), SecretText(key), CIPHER, NOW)

    async def test_bearer_does_not_match_an_instance_without_a_key(self) -> None:
        assert not await matching_key(an_instance(key=None), SecretText(KEY), CIPHER, NOW)

    async def test_key_is_checked_regardless_of_auth(self) -> None:
        assert await matching_key(an_instance(auth_enabled=False), SecretText(KEY), CIPHER, NOW)


class TestPreviousKey:
    """The instance's key was replaced, and the previous key expires now."""

    @pytest.fixture
    def instance(self) -> Instance:
        return holding(an_instance(), PREVIOUS_AUTH_API_KEY, OLD_KEY, expires_at=NOW)

    async def test_both_keys_are_valid_until_the_previous_one_expires(self, instance: Instance) -> None:
        for key in (KEY, OLD_KEY):
            await authorise(instance, SecretText(key), CIPHER, NOW - MOMENT)
        assert not await matching_key(instance, SecretText(OLD_KEY + "x"), CIPHER, NOW - MOMENT)

    @pytest.mark.parametrize("later", [timedelta(0), MOMENT, timedelta(days=9)])
    async def test_only_the_current_key_is_valid_afterwards(self, instance: Instance, later: timedelta) -> None:
        await authorise(instance, SecretText(KEY), CIPHER, NOW + later)
        with pytest.raises(AuthenticationError, match=r"\AInvalid API key\Z"):
            await authorise(instance, SecretText(OLD_KEY), CIPHER, NOW + later)

    async def test_previous_key_sealed_as_the_current_one_does_not_open(self, instance: Instance) -> None:
        previous = instance.secrets[PREVIOUS_AUTH_API_KEY]
        swapped = {AUTH_API_KEY: msgspec.structs.replace(previous, name=AUTH_API_KEY, expires_at=None)}
        with pytest.raises(SecretUnreadableError):
            await matching_key(msgspec.structs.replace(instance, secrets=swapped), SecretText(OLD_KEY), CIPHER, NOW)


def test_credentials_do_not_show_their_secrets() -> None:
    assert KEY not in repr(Credentials(bearer=SecretText(KEY), cookie=SecretText(KEY)))
