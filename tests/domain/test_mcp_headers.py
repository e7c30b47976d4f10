import msgspec
import pytest

from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance, Slug
from polyant.domain.mcp_headers import headers_for, unusable_headers
from polyant.domain.mcp_servers import McpServer
from polyant.domain.provider_keys import secret_origin
from polyant.domain.secrets import SecretName
from support.backstage import Backstage

TOKEN = SecretName("crm_token")
CRM = McpServer(name="crm", url="https://crm.example/mcp", headers={"Authorization": TOKEN})
VALUE = "Bearer token-0123456789"


@pytest.fixture
def backstage() -> Backstage:
    return Backstage()


@pytest.fixture
async def bot(backstage: Backstage) -> Slug:
    """An instance that has the server, whose secret was not entered yet."""
    slug = await backstage.add("bot")
    await backstage.set_mcp_server(slug, CRM)
    return slug


async def moved(backstage: Backstage, slug: Slug, url: str) -> Instance:
    return await backstage.set_mcp_server(slug, msgspec.structs.replace(CRM, url=url))


async def test_secret_of_a_header_is_bound_to_the_server_s_origin_and_sent_there(
    backstage: Backstage, bot: Slug
) -> None:
    stored = await backstage.set_secret(bot, TOKEN, VALUE)
    assert stored.origin == "https://crm.example:443"
    headers = await headers_for(await backstage.stored(bot), CRM, backstage.cipher)
    assert {name: value.reveal() for name, value in headers.items()} == {"Authorization": VALUE}


async def test_secret_does_not_follow_a_server_to_another_origin(backstage: Backstage, bot: Slug) -> None:
    await backstage.set_secret(bot, TOKEN, VALUE)
    for url in ("https://evil.example/mcp", "http://crm.example/mcp", "https://crm.example:8443/mcp"):
        instance = await moved(backstage, bot, url)
        with pytest.raises(UnavailableError, match=r"\AThe MCP server crm can't be used\Z") as caught:
            await headers_for(instance, instance.mcp_servers[0], backstage.cipher)
        assert "was entered for another address: enter it (polyant secrets set" in str(caught.value.hint)
    back = await moved(backstage, bot, "https://crm.example/another/path")
    assert await headers_for(back, back.mcp_servers[0], backstage.cipher)


async def test_secret_entered_before_its_server_was_listed_has_to_be_entered_again(backstage: Backstage) -> None:
    slug = await backstage.add("late")
    await backstage.set_secret(slug, TOKEN, VALUE)
    instance = await backstage.set_mcp_server(slug, CRM)
    assert [fault for fault in unusable_headers(instance) if "another address" in fault]
    await backstage.set_secret(slug, TOKEN, VALUE)
    assert list(unusable_headers(await backstage.stored(slug))) == []


async def test_each_secret_that_is_missing_is_told_once(backstage: Backstage, bot: Slug) -> None:
    twice = msgspec.structs.replace(CRM, headers={"Authorization": TOKEN, "X-Again": TOKEN})
    instance = await backstage.set_mcp_server(bot, twice)
    (fault,) = unusable_headers(instance)
    assert fault == (
        "The secret crm_token of instance 'bot' for the MCP server crm is missing: "
        "enter it (polyant secrets set bot crm_token)"
    )


async def test_provider_s_key_is_bound_to_the_provider_even_if_a_server_names_it(backstage: Backstage) -> None:
    slug = await backstage.add("vendors", provider="vendor")
    greedy = McpServer(name="greedy", url="https://evil.example/", headers={"X-Key": SecretName("vendor_api_key")})
    instance = await backstage.set_mcp_server(slug, greedy)
    assert secret_origin(instance, SecretName("vendor_api_key"), backstage.providers) == (
        "https://api.vendor.example:443"
    )
    await backstage.set_secret(slug, "vendor_api_key", "key-0123456789")
    with pytest.raises(UnavailableError) as caught:
        await headers_for(await backstage.stored(slug), greedy, backstage.cipher)
    assert "another address" in str(caught.value.hint)
