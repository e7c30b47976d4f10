import msgspec
import pytest

from polyant.domain.errors import InvalidInputError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.mcp_headers import unusable_headers
from polyant.domain.mcp_servers import McpServer
from polyant.domain.secrets import SecretName
from polyant.domain.use_cases.set_mcp_server import McpServerChange, McpServerExistsError
from support.harness import UseCaseHarness

TOKEN = SecretName("crm_token")
CRM = McpServer(name="crm", url="https://crm.example/mcp", tools=("find",))
FILES = McpServer(name="files", url="http://localhost:8100/mcp", tools=("*",))


async def test_server_is_added(harness: UseCaseHarness, slug: Slug) -> None:
    set_server = harness.set_mcp_server
    await set_server(slug, CRM)
    returned = await set_server(slug, FILES)
    assert returned == await harness.load(slug)
    assert returned.mcp_servers == (CRM, FILES)


async def test_server_replaces_the_one_with_its_name(harness: UseCaseHarness, slug: Slug) -> None:
    set_server = harness.set_mcp_server
    for server in (CRM, FILES):
        await set_server(slug, server)
    other = msgspec.structs.replace(CRM, url="https://crm.example/v2", tools=())
    assert (await set_server(slug, other)).mcp_servers == (other, FILES)


async def test_invalid_server_is_not_stored(harness: UseCaseHarness, slug: Slug) -> None:
    with pytest.raises(InvalidInputError, match="MCP server 'my_crm'"):
        await harness.set_mcp_server(slug, msgspec.structs.replace(CRM, name="my_crm"))
    assert (await harness.load(slug)).mcp_servers == ()


async def test_unknown_instance_is_refused(harness: UseCaseHarness) -> None:
    with pytest.raises(UnknownInstanceError):
        await harness.set_mcp_server(Slug("nobody"), CRM)


async def test_concurrent_write_is_kept(harness: UseCaseHarness, slug: Slug) -> None:
    harness.repo.races = 2
    instance = await harness.set_mcp_server(slug, CRM)
    assert (instance.description, instance.mcp_servers) == ("xx", (CRM,))


async def test_secrets_are_stored_with_the_server_and_bound_to_it(harness: UseCaseHarness, slug: Slug) -> None:
    server = msgspec.structs.replace(CRM, headers={"Authorization": TOKEN})
    instance = await harness.set_mcp_server(slug, server, secrets={TOKEN: "Bearer abcdefgh"})
    assert harness.plaintext(instance, TOKEN) == "Bearer abcdefgh"
    assert instance.secrets[TOKEN].origin == "https://crm.example:443"
    assert list(unusable_headers(instance)) == []
    assert "Bearer" not in repr(McpServerChange(server=server, secrets={TOKEN: "Bearer abcdefgh"}))


async def test_invalid_secret_stores_nothing(harness: UseCaseHarness, slug: Slug) -> None:
    with pytest.raises(InvalidInputError):
        await harness.set_mcp_server(slug, CRM, secrets={"crm_key": "short"})
    assert (await harness.load(slug)).mcp_servers == ()


async def test_renamed_server_keeps_its_place(harness: UseCaseHarness, slug: Slug) -> None:
    for server in (CRM, FILES):
        await harness.set_mcp_server(slug, server)
    renamed = msgspec.structs.replace(CRM, name="customers")
    assert (await harness.set_mcp_server(slug, renamed, replaces="crm")).mcp_servers == (renamed, FILES)
    with pytest.raises(InvalidInputError, match="unique names"):
        await harness.set_mcp_server(slug, msgspec.structs.replace(FILES, name="customers"), replaces="files")


async def test_server_to_add_must_be_new(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_mcp_server(slug, CRM, adds=True)
    with pytest.raises(McpServerExistsError, match="'crm' already exists"):
        await harness.set_mcp_server(slug, msgspec.structs.replace(FILES, name="crm"), adds=True)
    assert (await harness.load(slug)).mcp_servers == (CRM,)
