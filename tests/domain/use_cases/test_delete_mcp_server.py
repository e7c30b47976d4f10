import pytest

from polyant.domain.errors import NotFoundError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.secrets import SecretName
from support.harness import UseCaseHarness

TOKEN = SecretName("crm_token")
CRM = McpServer(name="crm", url="https://crm.example/mcp", headers={"Authorization": TOKEN})
FILES = McpServer(name="files", url="http://localhost:8100/mcp")


async def test_server_is_removed_and_its_secrets_stay(harness: UseCaseHarness, slug: Slug) -> None:
    for server in (CRM, FILES):
        await harness.set_mcp_server(slug, server)
    await harness.set_secret(slug, TOKEN, "Bearer abc")
    returned = await harness.delete_mcp_server(slug, "crm")
    assert returned == await harness.load(slug)
    assert returned.mcp_servers == (FILES,)
    assert TOKEN in returned.secrets


async def test_unknown_server_and_unknown_instance_are_distinguished(harness: UseCaseHarness, slug: Slug) -> None:
    with pytest.raises(NotFoundError, match=f"Instance '{slug}' has no MCP server 'crm'"):
        await harness.delete_mcp_server(slug, "crm")
    with pytest.raises(UnknownInstanceError):
        await harness.delete_mcp_server(Slug("nobody"), "crm")
