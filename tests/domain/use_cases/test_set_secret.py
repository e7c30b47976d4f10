import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import (
    InstanceChangedError,
    InvalidInputError,
    SecretUnreadableError,
    UnknownInstanceError,
)
from polyant.domain.instances import Slug
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretAddress, SecretName
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.update_instance import InstancePatch
from support.harness import UseCaseHarness

VALUE = "vendor-key-0123456789"


async def test_secret_is_stored_encrypted(harness: UseCaseHarness, slug: Slug) -> None:
    sealed = await harness.set_secret(slug, "smtp_password", "correct horse battery staple")
    stored = await harness.load(slug)
    assert stored.secrets == {"smtp_password": sealed}
    assert "horse" not in str(stored) + sealed.sealed
    assert harness.plaintext(stored, "smtp_password") == "correct horse battery staple"
    assert (sealed.origin, sealed.fingerprint, sealed.updated_at) == (None, None, harness.clock.now())


async def test_secret_does_not_open_for_another_instance(harness: UseCaseHarness, slug: Slug) -> None:
    sealed = await harness.set_secret(slug, "smtp_password", "correct horse")
    other = await harness.load(await harness.add_instance("other"))
    with pytest.raises(SecretUnreadableError):
        await harness.cipher.open(sealed.sealed, SecretAddress(instance_id=other.id, name=sealed.name))


async def test_chosen_key_identifies_callers(harness: UseCaseHarness, slug: Slug) -> None:
    sealed = await harness.set_secret(slug, AUTH_API_KEY, "sk-myinstancekey")
    stored = await harness.load(slug)
    assert sealed.fingerprint is not None
    assert stored.has_auth_key
    assert not stored.auth_enabled


async def test_chosen_key_may_replace_another_with_an_overlap_period(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_secret(slug, AUTH_API_KEY, "sk-the-first-of-all")
    await harness.set_secret(slug, AUTH_API_KEY, "sk-the-second-of-all", grace_seconds=60)
    stored = await harness.load(slug)
    assert harness.plaintext(stored, AUTH_API_KEY) == "sk-the-second-of-all"
    assert harness.plaintext(stored, PREVIOUS_AUTH_API_KEY) == "sk-the-first-of-all"
    await harness.set_secret(slug, AUTH_API_KEY, "sk-the-third-of-all")
    assert set((await harness.load(slug)).secrets) == {AUTH_API_KEY}


@pytest.mark.parametrize("name, seconds", [("one", 60), (AUTH_API_KEY, -1)])
async def test_overlap_period_is_for_api_keys_and_not_negative(
    harness: UseCaseHarness, slug: Slug, name: str, seconds: int
) -> None:
    with pytest.raises(InvalidInputError, match="overlap period"):
        await harness.set_secret(slug, name, "sk-long-enough", grace_seconds=seconds)
    assert (await harness.load(slug)).secrets == {}


async def test_provider_key_is_bound_to_its_current_origin(harness: UseCaseHarness) -> None:
    slug = await harness.add_instance("bot", provider="vendor")
    assert (await harness.set_secret(slug, "vendor_api_key", VALUE)).origin == "https://api.vendor.example:443"
    await harness.update(slug, InstancePatch(base_url="http://localhost:8000/v1"))
    assert (await harness.set_secret(slug, "vendor_api_key", VALUE)).origin == "http://localhost:8000"


async def test_key_of_an_unused_provider_is_bound_to_that_provider(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(base_url="http://localhost:8000/v1"))
    assert (await harness.set_secret(slug, "vendor_api_key", VALUE)).origin == "https://api.vendor.example:443"


async def test_secret_replaces_only_the_previous_one(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_secret(slug, "one", "first")
    await harness.set_secret(slug, "two", "second")
    harness.repo.races = 1
    await harness.set_secret(slug, "one", "third")
    stored = await harness.load(slug)
    assert {name: harness.plaintext(stored, name) for name in stored.secrets} == {"one": "third", "two": "second"}


@pytest.mark.parametrize(
    "name, value",
    [
        *(("No Name", "value"), ("", "value"), ("one", "")),
        *(("vendor_api_key", "with spaces"), ("auth_api_key", "short"), ("auth_api_key_previous", "sk-long-enough")),
    ],
)
async def test_invalid_name_or_value_is_refused(harness: UseCaseHarness, slug: Slug, name: str, value: str) -> None:
    with pytest.raises(InvalidInputError):
        await harness.set_secret(slug, name, value)
    assert (await harness.load(slug)).secrets == {}


async def test_refused_value_is_not_in_the_message(harness: UseCaseHarness, slug: Slug) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await harness.set_secret(slug, "vendor_api_key", "a value with spaces")
    assert "a value" not in str(caught.value)


async def test_unknown_instance_has_no_secrets(harness: UseCaseHarness) -> None:
    with pytest.raises(UnknownInstanceError):
        await harness.set_secret(Slug("nobody"), SecretName("one"), "first")


async def test_secrets_set_together_are_bound_to_their_own_addresses(harness: UseCaseHarness) -> None:
    slug = await harness.add_instance("bot", provider="vendor")
    store = SetSecret(edit=harness.edit, cipher=harness.cipher, providers=harness.providers)
    values = {"vendor_api_key": "sk-1234567890", "crm_token": "a token", AUTH_API_KEY: "sk-of-all-callers"}
    instance = await store.set_many(slug, values, by=CLI)
    assert instance == await harness.load(slug)
    assert {name: harness.plaintext(instance, name) for name in instance.secrets} == values
    assert instance.secrets[SecretName("vendor_api_key")].origin == "https://api.vendor.example:443"
    assert instance.secrets[SecretName("crm_token")].origin is None
    assert instance.secrets[AUTH_API_KEY].fingerprint is not None
    assert instance.version == 2


@pytest.mark.parametrize(("name", "value"), [("No Name", "x"), ("crm_token", ""), ("x_key", "two words")])
async def test_no_secret_is_stored_if_one_is_invalid(
    harness: UseCaseHarness, slug: Slug, name: str, value: str
) -> None:
    store = SetSecret(edit=harness.edit, cipher=harness.cipher, providers=harness.providers)
    with pytest.raises(InvalidInputError) as caught:
        await store.set_many(slug, {"good_token": "value-of-it", name: value}, by=CLI)
    assert "value-of-it" not in str(caught.value)
    assert (await harness.load(slug)).secrets == {}


async def test_secrets_are_stored_only_on_an_expected_version(harness: UseCaseHarness, slug: Slug) -> None:
    store = SetSecret(edit=harness.edit, cipher=harness.cipher, providers=harness.providers)
    with pytest.raises(InstanceChangedError):
        await store.set_many(slug, {"good_token": "value"}, by=CLI, expected_versions={5})
    assert (await harness.load(slug)).secrets == {}
