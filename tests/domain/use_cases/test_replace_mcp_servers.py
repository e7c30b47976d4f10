import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import InstanceChangedError, InvalidInputError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.use_cases.replace_mcp_servers import ReplaceMcpServers
from support.harness import UseCaseHarness

CRM = McpServer(name="crm", url="https://crm.example/mcp", tools=("find",))
FILES = McpServer(name="files", url="http://localhost:8100/mcp", tools=("*",))


@pytest.fixture
def replace(harness: UseCaseHarness) -> ReplaceMcpServers:
    return ReplaceMcpServers(edit=harness.edit, outbound=harness.outbound)


async def test_servers_are_replaced(harness: UseCaseHarness, slug: Slug, replace: ReplaceMcpServers) -> None:
    await replace(slug, [CRM], by=CLI)
    assert (await replace(slug, [FILES], by=CLI, unrestricted=True)).mcp_servers == (FILES,)
    assert (await replace(slug, [], by=CLI)).mcp_servers == ()
    assert (await harness.load(slug)).mcp_servers == ()


async def test_errors_are_distinguished_and_nothing_is_stored(
    harness: UseCaseHarness, slug: Slug, replace: ReplaceMcpServers
) -> None:
    with pytest.raises(InvalidInputError, match="unique names"):
        await replace(slug, [CRM, CRM], by=CLI)
    with pytest.raises(InstanceChangedError):
        await replace(slug, [CRM], by=CLI, expected_versions={9})
    with pytest.raises(UnknownInstanceError):
        await replace(Slug("nobody"), [CRM], by=CLI)
    assert (await harness.load(slug)).mcp_servers == ()
