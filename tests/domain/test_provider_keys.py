from collections.abc import Mapping

import msgspec
import pytest

from polyant.domain.errors import SecretUnreadableError, UnavailableError
from polyant.domain.instances import Instance, Slug
from polyant.domain.provider_keys import ProviderKeys, base_url_of, moved_key, secret_origin
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.urls import origin_of
from polyant.domain.use_cases.update_instance import InstancePatch
from support.harness import ECHO, VENDOR, UseCaseHarness

OPERATORS = "operator-key-0123456789"
OWN = "instance-key-0123456789"
PROXY = "https://proxy.example/v1"
PROXY_ORIGIN = "https://proxy.example:443"


@pytest.fixture
def harness() -> UseCaseHarness:
    return UseCaseHarness()


@pytest.fixture
async def bot(harness: UseCaseHarness) -> Slug:
    """An instance that uses the provider `vendor`."""
    return await harness.add_instance("bot", provider="vendor")


def keys(harness: UseCaseHarness, *trusted: str, operator: Mapping[str, str] | None = None) -> ProviderKeys:
    given = {"vendor": OPERATORS} if operator is None else operator
    return ProviderKeys(
        harness.cipher,
        operator_keys={name: SecretText(key) for name, key in given.items()},
        trusted_origins=frozenset(trusted),
    )


async def moved(harness: UseCaseHarness, slug: Slug, base_url: str | None) -> Instance:
    return await harness.update(slug, InstancePatch(base_url=base_url))


def revealed(key: SecretText | None) -> str | None:
    return None if key is None else key.reveal()


async def test_operators_key_is_sent_to_the_provider(harness: UseCaseHarness, bot: Slug) -> None:
    assert revealed(await keys(harness).key_for(await harness.load(bot), VENDOR)) == OPERATORS


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.vendor.example:8443/v1",
        "http://api.vendor.example/v1",
        "https://api.vendor.example.evil.example/v1",
        "https://evil.example/api.vendor.example/v1",
    ],
)
async def test_operators_key_is_not_sent_to_a_lookalike_origin(
    harness: UseCaseHarness, bot: Slug, base_url: str
) -> None:
    assert await keys(harness).key_for(await moved(harness, bot, base_url), VENDOR) is None


@pytest.mark.parametrize("base_url", ["https://API.vendor.example/v2", "https://api.vendor.example:443"])
async def test_operators_key_is_sent_to_the_provider_in_any_url_spelling(
    harness: UseCaseHarness, bot: Slug, base_url: str
) -> None:
    assert revealed(await keys(harness).key_for(await moved(harness, bot, base_url), VENDOR)) == OPERATORS


async def test_operators_key_is_sent_to_listed_origins(harness: UseCaseHarness, bot: Slug) -> None:
    instance = await moved(harness, bot, PROXY)
    assert await keys(harness).key_for(instance, VENDOR) is None
    assert revealed(await keys(harness, PROXY_ORIGIN).key_for(instance, VENDOR)) == OPERATORS


async def test_instance_key_overrides_the_operators(harness: UseCaseHarness, bot: Slug) -> None:
    await harness.set_secret(bot, "vendor_api_key", OWN)
    assert revealed(await keys(harness).key_for(await harness.load(bot), VENDOR)) == OWN


async def test_instance_key_is_not_sent_to_a_new_base_url(harness: UseCaseHarness, bot: Slug) -> None:
    await harness.set_secret(bot, "vendor_api_key", OWN)
    instance = await moved(harness, bot, PROXY)
    # This holds even for origins that get the operator's key, which is not used as a fallback.
    with pytest.raises(UnavailableError) as caught:
        await keys(harness, PROXY_ORIGIN).key_for(instance, VENDOR)
    assert caught.value.message == "The API key for the provider vendor can't be used"
    assert caught.value.hint == (
        "The secret vendor_api_key of instance 'bot' was entered for an address other than its base URL: "
        "enter it again (polyant secrets set bot vendor_api_key) or delete it"
    )


async def test_instance_key_set_again_is_sent_to_the_new_base_url(harness: UseCaseHarness, bot: Slug) -> None:
    await moved(harness, bot, PROXY)
    await harness.set_secret(bot, "vendor_api_key", OWN)
    assert revealed(await keys(harness).key_for(await harness.load(bot), VENDOR)) == OWN
    with pytest.raises(UnavailableError):
        await keys(harness).key_for(await moved(harness, bot, None), VENDOR)


async def test_another_path_of_the_same_origin_keeps_the_key(harness: UseCaseHarness, bot: Slug) -> None:
    await harness.set_secret(bot, "vendor_api_key", OWN)
    instance = await moved(harness, bot, "https://api.vendor.example/beta")
    assert revealed(await keys(harness).key_for(instance, VENDOR)) == OWN


async def test_origin_rewritten_in_the_store_does_not_open_the_key(harness: UseCaseHarness, bot: Slug) -> None:
    await harness.set_secret(bot, "vendor_api_key", OWN)
    instance = await moved(harness, bot, PROXY)
    name = SecretName("vendor_api_key")
    forged = msgspec.structs.replace(instance.secrets[name], origin=PROXY_ORIGIN)
    with pytest.raises(SecretUnreadableError):
        await keys(harness).key_for(msgspec.structs.replace(instance, secrets={name: forged}), VENDOR)


async def test_missing_key_is_reported_with_both_ways_to_set_it(harness: UseCaseHarness, bot: Slug) -> None:
    with pytest.raises(UnavailableError) as caught:
        await keys(harness, operator={}).key_for(await harness.load(bot), VENDOR)
    assert caught.value.message == "No API key for the provider vendor"
    assert caught.value.hint == (
        "Set the instance's secret vendor_api_key (polyant secrets set bot vendor_api_key) or VENDOR_API_KEY in the "
        "server's environment"
    )


async def test_other_servers_need_no_key(harness: UseCaseHarness, bot: Slug) -> None:
    instance = await moved(harness, bot, "http://localhost:11434/v1")
    assert await keys(harness, operator={}).key_for(instance, VENDOR) is None


async def test_provider_without_keys_receives_none(harness: UseCaseHarness) -> None:
    instance = await harness.load(await harness.add_instance("parrot"))
    assert await keys(harness).key_for(instance, ECHO) is None


async def test_base_url_is_the_instances_or_the_providers_without_a_trailing_slash(
    harness: UseCaseHarness, bot: Slug
) -> None:
    instance = await harness.load(bot)
    assert base_url_of(instance, msgspec.structs.replace(VENDOR, base_url="https://x.example/v1/")) == (
        "https://x.example/v1"
    )
    assert base_url_of(await moved(harness, bot, PROXY), VENDOR) == PROXY


async def test_moved_key_is_reported_only_for_the_instances_provider(harness: UseCaseHarness, bot: Slug) -> None:
    await harness.set_secret(bot, "vendor_api_key", OWN)
    assert moved_key(await harness.load(bot), harness.providers) is None
    instance = await moved(harness, bot, PROXY)
    assert "delete it" in (moved_key(instance, harness.providers) or "")
    assert moved_key(msgspec.structs.replace(instance, provider="echo"), harness.providers) is None
    assert moved_key(msgspec.structs.replace(instance, provider="gone"), harness.providers) is None


async def test_other_secrets_are_not_bound_to_an_origin(harness: UseCaseHarness, bot: Slug) -> None:
    instance = await harness.load(bot)
    assert secret_origin(instance, SecretName("smtp_password"), harness.providers) is None


@pytest.mark.parametrize("base_url", ["http://proxy.example/v1", "https://PROXY.example:8443/v1"])
async def test_fix_for_a_withheld_key_names_the_origin_to_list(
    harness: UseCaseHarness, bot: Slug, base_url: str
) -> None:
    instance = await moved(harness, bot, base_url)
    found = keys(harness, PROXY_ORIGIN)
    assert await found.key_for(instance, VENDOR) is None
    origin = origin_of(base_url)
    assert (
        found.withheld_key_fix(instance, VENDOR)
        == f"PROVIDER_HOSTS lists {PROXY_ORIGIN}. To send the key, list {origin}"
    )


async def test_key_that_is_sent_or_not_meant_for_a_host_is_not_withheld(harness: UseCaseHarness, bot: Slug) -> None:
    listed = await moved(harness, bot, PROXY)
    assert keys(harness, PROXY_ORIGIN).withheld_key_fix(listed, VENDOR) is None
    assert keys(harness, PROXY_ORIGIN, operator={}).withheld_key_fix(listed, VENDOR) is None
    elsewhere = await moved(harness, bot, "http://other.example/v1")
    assert keys(harness, PROXY_ORIGIN).withheld_key_fix(elsewhere, VENDOR) is None
    assert keys(harness, PROXY_ORIGIN, operator={}).withheld_key_fix(elsewhere, VENDOR) is None
