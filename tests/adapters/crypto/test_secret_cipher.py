import re
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.domain.errors import InvalidInputError, SecretUnreadableError
from polyant.domain.secrets import SecretAddress, SecretName, SecretText
from support.coroutines import result_of

OLD_KEY, NEW_KEY = (SecretText(digits * 32) for digits in ("0f", "a1"))
OLD, NEW = (AesGcmSecretCipher(master_keys=keys) for keys in ([OLD_KEY], [NEW_KEY, OLD_KEY]))
ADDRESS = SecretAddress(instance_id="0" * 32, name=SecretName("openai_api_key"))

any_text = st.text(st.characters(exclude_categories=()))  # including lone surrogates
addresses = st.builds(SecretAddress, instance_id=any_text, name=any_text.map(SecretName), origin=st.none() | any_text)


@given(any_text, addresses)
async def test_secret_opens_at_its_address_with_its_current_or_previous_key(text: str, address: SecretAddress) -> None:
    assert (await OLD.open(await OLD.seal(SecretText(text), address), address)).reveal() == text
    assert (await NEW.open(await NEW.seal(SecretText(text), address), address)).reveal() == text
    assert (await NEW.open(await OLD.seal(SecretText(text), address), address)).reveal() == text


@given(any_text, addresses, addresses)
async def test_secret_does_not_open_at_another_address(text: str, address: SecretAddress, other: SecretAddress) -> None:
    assume(address != other)
    with pytest.raises(SecretUnreadableError):
        await OLD.open(await OLD.seal(SecretText(text), address), other)


@given(any_text, st.integers(0), st.characters(exclude_categories=()))
async def test_sealed_form_with_a_changed_character_does_not_open(text: str, place: int, character: str) -> None:
    sealed = await NEW.seal(SecretText(text), ADDRESS)
    place %= len(sealed)
    assume(sealed[place] != character)
    with pytest.raises(SecretUnreadableError):
        await NEW.open(sealed[:place] + character + sealed[place + 1 :], ADDRESS)


@given(any_text)
async def test_invalid_sealed_forms_are_refused_with_the_same_error(text: str) -> None:
    for refused in (OLD.open(text, ADDRESS), OLD.key_id_of(text)):
        with pytest.raises(SecretUnreadableError, match=r"\AA stored secret can't be decrypted"):
            await refused


@given(any_text, any_text)
async def test_fingerprints_are_equal_only_for_equal_secrets(one: str, other: str) -> None:
    assert (await OLD.fingerprints(SecretText(one)) == await OLD.fingerprints(SecretText(other))) == (one == other)


async def test_sealed_form_and_fingerprint_fit_the_storage_columns() -> None:
    sealed = await NEW.seal(SecretText("sk-secret"), ADDRESS)
    assert re.fullmatch(r"v1\.[0-9a-f]{12}\.[A-Za-z0-9_-]+", sealed)
    assert all(
        re.fullmatch(r"[0-9a-f]{64}", fingerprint) for fingerprint in await NEW.fingerprints(SecretText("sk-secret"))
    )


async def test_secret_stored_by_an_earlier_release_still_opens_and_is_found() -> None:
    """Fails when the format, a derived key or the encoding of the address changes, which requires a new version."""
    cipher = AesGcmSecretCipher(master_keys=[SecretText("00112233445566778899aabbccddeeff" * 2)])
    address = SecretAddress(
        instance_id="0123456789abcdef" * 2, name=SecretName("openai_api_key"), origin="https://api.openai.com:443"
    )
    sealed = "v1.d53bc16f6dd9.8fTDfu8eXAl0QBnWFS4OOX0I1KK0csVIVZ6v6z8Wvgpm8bQeFTON4XWEpQ"
    assert (await cipher.open(sealed, address)).reveal() == "sk-known-answer"
    assert await cipher.fingerprints(SecretText("sk-known-answer")) == (
        "73ab080f12669d2a693e79bb32a4e600aeae8125d5519506e5853acf42353afd",
    )


async def test_upper_case_key_is_the_same_key() -> None:
    upper = AesGcmSecretCipher(master_keys=[SecretText(OLD_KEY.reveal().upper())])
    assert (await upper.open(await OLD.seal(SecretText("sk-secret"), ADDRESS), ADDRESS)).reveal() == "sk-secret"


async def test_duplicate_key_makes_one_fingerprint() -> None:
    twice = AesGcmSecretCipher(master_keys=[OLD_KEY, OLD_KEY])
    assert await twice.fingerprints(SecretText("sk-secret")) == await OLD.fingerprints(SecretText("sk-secret"))


@pytest.mark.parametrize(
    "text", ["", "0f" * 31, "0f" * 33, "0f" * 31 + "0g", "0f" * 32 + "\n", "0 f" * 21 + "0", "\u0660" * 64]
)
def test_malformed_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InvalidInputError, match="must be 64 hex digits") as caught:
        AesGcmSecretCipher(master_keys=[OLD_KEY, SecretText(text)])
    assert not text or text not in repr(caught.value)


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda cipher: cipher.seal(SecretText("sk-secret"), ADDRESS), id="seal"),
        pytest.param(
            lambda cipher: cipher.open(result_of(NEW.seal(SecretText("sk-secret"), ADDRESS)), ADDRESS), id="open"
        ),
        pytest.param(lambda cipher: cipher.fingerprints(SecretText("sk-secret")), id="fingerprints"),
        pytest.param(lambda cipher: cipher.key_id(), id="key_id"),
    ],
)
async def test_key_added_later_is_used_from_then_on(
    use: Callable[[AesGcmSecretCipher], Awaitable[object]],
) -> None:
    keys = [OLD_KEY]
    cipher = AesGcmSecretCipher(master_keys=keys)
    keys.insert(0, NEW_KEY)
    assert await use(cipher)
    assert (
        await cipher.key_id_of(await cipher.seal(SecretText("sk-secret"), ADDRESS))
        == await cipher.key_id()
        == await NEW.key_id()
    )
    assert await cipher.fingerprints(SecretText("sk-secret")) == await NEW.fingerprints(SecretText("sk-secret"))
    assert (await cipher.open(await OLD.seal(SecretText("sk-secret"), ADDRESS), ADDRESS)).reveal() == "sk-secret"


async def test_removed_key_opens_nothing() -> None:
    keys = [NEW_KEY, OLD_KEY]
    cipher = AesGcmSecretCipher(master_keys=keys)
    sealed = await OLD.seal(SecretText("sk-secret"), ADDRESS)
    keys.pop()
    assert await cipher.key_id() == await NEW.key_id()
    with pytest.raises(SecretUnreadableError):
        await cipher.open(sealed, ADDRESS)


def test_cipher_requires_a_key() -> None:
    with pytest.raises(InvalidInputError, match="key is required"):
        AesGcmSecretCipher(master_keys=[])


async def test_repr_shows_no_key() -> None:
    sealed = await OLD.seal(SecretText("sk-secret"), ADDRESS)
    shown = f"{OLD!r} {OLD} {await OLD.key_id()} {sealed} {await OLD.fingerprints(SecretText('sk-secret'))}"
    assert "0f0f" not in shown
