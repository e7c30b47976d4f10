import pytest

from polyant.domain.errors import InvalidInputError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretName
from polyant.domain.use_cases.encrypt_secret import EncryptSecret
from polyant.domain.use_cases.set_secret import with_secret
from polyant.domain.use_cases.show_instance import ShowInstance
from support.harness import ECHO, VENDOR, UseCaseHarness

VALUE = "vendor-key-0123456789"


@pytest.fixture
def encrypt(harness: UseCaseHarness) -> EncryptSecret:
    return EncryptSecret(
        show=ShowInstance(repo=harness.repo),
        cipher=harness.cipher,
        providers={"echo": ECHO, "vendor": VENDOR},
        clock=harness.clock,
    )


async def test_secret_is_encrypted_for_the_instance_and_not_stored(
    harness: UseCaseHarness, slug: Slug, encrypt: EncryptSecret
) -> None:
    sealed = await encrypt(slug, "vendor_api_key", VALUE)
    stored = await harness.load(slug)
    assert stored.secrets == {}
    assert sealed.origin == "https://api.vendor.example:443"
    assert harness.plaintext(with_secret(stored, sealed), "vendor_api_key") == VALUE


async def test_key_for_callers_has_a_fingerprint(slug: Slug, encrypt: EncryptSecret) -> None:
    assert (await encrypt(slug, AUTH_API_KEY, "sk-long-enough-for-a-key")).fingerprint is not None


async def test_unknown_instance_and_invalid_name_are_refused(slug: Slug, encrypt: EncryptSecret) -> None:
    with pytest.raises(UnknownInstanceError):
        await encrypt(Slug("nobody"), SecretName("smtp_password"), VALUE)
    with pytest.raises(InvalidInputError, match="can't be set directly"):
        await encrypt(slug, PREVIOUS_AUTH_API_KEY, VALUE)
