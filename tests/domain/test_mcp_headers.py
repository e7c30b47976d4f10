import msgspec
import pytest

from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance, Slug
from polyant.domain.mcp_headers import headers_for, unusable_headers
from polyant.domain.mcp_servers import McpServer
from polyant.domain.provider_keys import secret_origin
from polyant.domain.secrets import SecretName
from support.harness import UseCaseHarness

TOKEN = SecretName("crm_token")
CRM = McpServer(name="crm", url="https://crm.example/mcp", headers={"Authorization": TOKEN})
VALUE = "Bearer token-0123456789"


@pytest.fixture
def harness() -> UseCaseHarness:
    return UseCaseHarness()


@pytest.fixture
async def bot(harness: UseCaseHarness) -> Slug:
    """An instance with a server whose secret is not set."""
    slug = await harness.add_instance("bot")
    await harness.set_mcp_server(slug, CRM)
    return slug


async def moved(harness: UseCaseHarness, slug: Slug, url: str) -> Instance:
    return await harness.set_mcp_server(slug, msgspec.structs.replace(CRM, url=url))


async def test_secret_of_a_header_is_bound_to_the_server_s_origin_and_sent_there(
    harness: UseCaseHarness, bot: Slug
) -> None:
    stored = await harness.set_secret(bot, TOKEN, VALUE)
    assert stored.origin == "https://crm.example:443"
    headers = await headers_for(await harness.load(bot), CRM, harness.cipher)
    assert {name: value.reveal() for name, value in headers.items()} == {"Authorization": VALUE}


async def test_secret_does_not_follow_a_server_to_another_origin(harness: UseCaseHarness, bot: Slug) -> None:
    await harness.set_secret(bot, TOKEN, VALUE)
    for url in ("https://evil.example/mcp", "http://crm.example/mcp", "https://crm.example:8443/mcp"):
        instance = await moved(harness, bot, url)
        with pytest.raises(UnavailableError, match=r"\AThe MCP server crm can't be used\Z") as caught:
            await headers_for(instance, instance.mcp_servers[0], harness.cipher)
        assert "was entered for another address: enter it (polyant secrets set" in str(caught.value.hint)
    back = await moved(harness, bot, "https://crm.example/another/path")
    assert await headers_for(back, back.mcp_servers[0], harness.cipher)


async def test_secret_set_before_its_server_must_be_set_again(harness: UseCaseHarness) -> None:
    slug = await harness.add_instance("late")
    await harness.set_secret(slug, TOKEN, VALUE)
    instance = await harness.set_mcp_server(slug, CRM)
    assert [fault for fault in unusable_headers(instance) if "another address" in fault]
    await harness.set_secret(slug, TOKEN, VALUE)
    assert list(unusable_headers(await harness.load(slug))) == []


async def test_missing_secret_is_reported_once(harness: UseCaseHarness, bot: Slug) -> None:
    twice = msgspec.structs.replace(CRM, headers={"Authorization": TOKEN, "X-Again": TOKEN})
    instance = await harness.set_mcp_server(bot, twice)
    (fault,) = unusable_headers(instance)
    assert fault == (
        "The secret crm_token of instance 'bot' for the MCP server crm is missing: "
        "enter it (polyant secrets set bot crm_token)"
    )


async def test_provider_s_key_is_bound_to_the_provider_even_if_a_server_names_it(harness: UseCaseHarness) -> None:
    slug = await harness.add_instance("vendors", provider="vendor")
    greedy = McpServer(name="greedy", url="https://evil.example/", headers={"X-Key": SecretName("vendor_api_key")})
    instance = await harness.set_mcp_server(slug, greedy)
    assert secret_origin(instance, SecretName("vendor_api_key"), harness.providers) == (
        "https://api.vendor.example:443"
    )
    await harness.set_secret(slug, "vendor_api_key", "key-0123456789")
    with pytest.raises(UnavailableError) as caught:
        await headers_for(await harness.load(slug), greedy, harness.cipher)
    assert "another address" in str(caught.value.hint)
