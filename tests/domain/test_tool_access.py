"""The tools available to an instance's model, and the secrets sent to each MCP server."""

from collections.abc import Sequence

import msgspec
import pytest

from polyant.domain.chat import ToolSpec
from polyant.domain.mcp_servers import McpServer
from polyant.domain.secrets import SecretName
from polyant.domain.tool_access import AvailableTools, ToolAccess
from polyant.domain.tools import OfferedTool, ToolContext
from polyant.testing.tool import CONTEXT
from support.tool_loop import ToolLoop, answer

TOKEN = SecretName("crm_token")
CRM = McpServer(
    name="crm", url="https://crm.example/mcp", headers={"Authorization": TOKEN, "X-Again": TOKEN}, tools=("*",)
)
FILES = McpServer(name="files", url="http://localhost:8100/mcp", tools=("read",))


def remote(name: str, result: str = "theirs") -> OfferedTool:
    async def call(arguments: str, _: ToolContext) -> str:
        return f"{result} {arguments}"

    spec = ToolSpec(name=name, description="Theirs.", parameters=msgspec.Raw(b'{"type":"object","properties":{}}'))
    return OfferedTool(spec=spec, call=call)


def with_servers(loop: ToolLoop, *servers: McpServer) -> None:
    loop.instance = msgspec.structs.replace(loop.instance, mcp_servers=servers)


@pytest.fixture
async def loop() -> ToolLoop:
    """An instance with three tools and fake MCP servers."""
    return ToolLoop()


def access_of(loop: ToolLoop) -> ToolAccess:
    return loop.tool_access


async def available(loop: ToolLoop) -> AvailableTools:
    async with access_of(loop).open(loop.instance) as tools:
        return tools


async def offered(loop: ToolLoop) -> list[str]:
    return [tool.spec.name for tool in (await available(loop)).tools]


async def used(loop: ToolLoop) -> Sequence[McpServer]:
    """Returns the servers opened for a turn."""
    await available(loop)
    return [access.server for _, accesses in loop.servers.asked for access in accesses]


async def result_of(tool: OfferedTool) -> str:
    return await tool.call("{}", CONTEXT)


async def test_uninstalled_tools_and_tools_without_their_secret_are_not_offered(loop: ToolLoop) -> None:
    loop.add_tool("crm", answer, secrets=(TOKEN, SecretName("crm_tenant")))
    loop.instance = msgspec.structs.replace(loop.instance, tools=("crm", "gone", "answer"))
    assert await offered(loop) == ["answer"]
    loop.set_secret("crm_token", "x" * 9)
    assert await offered(loop) == ["answer"]
    loop.set_secret("crm_tenant", "7")
    assert await offered(loop) == ["crm", "answer"]


async def test_disabled_tool_is_not_offered(loop: ToolLoop) -> None:
    loop.instance = msgspec.structs.replace(loop.instance, tools=("fail",))
    assert await offered(loop) == ["fail"]


async def test_servers_are_not_opened_for_an_instance_without_any(loop: ToolLoop) -> None:
    await available(loop)
    assert loop.servers.asked == []


async def test_tools_of_servers_follow_the_instance_s_own_while_the_servers_are_open(loop: ToolLoop) -> None:
    with_servers(loop, FILES)
    loop.servers.tools = [remote("files__read")]
    async with access_of(loop).open(loop.instance) as tools:
        assert loop.servers.open_now == 1
        assert [tool.spec.name for tool in tools.tools] == ["answer", "fail", "hang", "files__read"]
        assert await result_of(tools.tools[-1]) == "theirs {}"
    assert loop.servers.open_now == 0


async def test_server_tool_does_not_replace_the_instance_s_own(loop: ToolLoop) -> None:
    with_servers(loop, FILES)
    loop.servers.tools = [remote("answer"), remote("files__read", "first"), remote("files__read", "second")]
    tools = await available(loop)
    assert [tool.spec.name for tool in tools.tools] == ["answer", "fail", "hang", "files__read"]
    assert (await result_of(tools.tools[0]), await result_of(tools.tools[-1])) == ("forty-two", "first {}")
    assert tools.found == 4


async def test_number_of_tools_is_limited_to_what_providers_accept(loop: ToolLoop) -> None:
    with_servers(loop, FILES)
    loop.servers.tools = [remote(f"files__{number}") for number in range(200)]
    tools = await available(loop)
    assert (len(tools.tools), tools.found) == (128, 203)
    assert await offered(loop) == ["answer", "fail", "hang", *(f"files__{number}" for number in range(125))]


async def test_number_of_the_instance_s_own_tools_is_limited(loop: ToolLoop) -> None:
    for number in range(200):
        loop.add_tool(f"own_{number}", answer)
    tools = await available(loop)
    assert (len(tools.tools), tools.found) == (128, 203)


async def test_server_without_allowed_tools_is_not_opened(loop: ToolLoop) -> None:
    with_servers(loop, msgspec.structs.replace(FILES, tools=()))
    assert await used(loop) == []


async def test_server_receives_its_decrypted_headers(loop: ToolLoop) -> None:
    with_servers(loop, CRM, FILES)
    loop.set_secret("crm_token", "Bearer abc", origin="https://crm.example:443")
    await available(loop)
    ((slug, (crm, files)),) = loop.servers.asked
    assert slug == loop.instance.slug
    assert {name: value.reveal() for name, value in crm.headers.items()} == {
        "Authorization": "Bearer abc",
        "X-Again": "Bearer abc",
    }
    assert files.headers == {}


@pytest.mark.parametrize(
    ("value", "origin", "reason"),
    [
        (None, None, "is missing"),
        ("Bearer abc", None, "was entered for another address"),
        ("Bearer abc", "https://crm.example:8443", "was entered for another address"),
        ("Bearer abc", "http://crm.example:80", "was entered for another address"),
        ("two\nlines", "https://crm.example:443", "is not a valid header value"),
        ("grün", "https://crm.example:443", "is not a valid header value"),
    ],
)
async def test_server_with_an_unusable_secret_only_loses_its_tools(
    loop: ToolLoop, value: str | None, origin: str | None, reason: str
) -> None:
    with_servers(loop, CRM, FILES)
    if value is not None:
        loop.set_secret("crm_token", value, origin)
    assert await used(loop) == [FILES]
    error = (await available(loop)).unusable_servers["crm"]
    assert reason in error.explanation
    assert value is None or value not in error.explanation


async def test_secret_that_was_moved_in_the_store_is_not_sent(loop: ToolLoop) -> None:
    with_servers(loop, CRM)
    loop.set_secret("crm_token", "Bearer abc", origin="https://other.example:443")
    forged = msgspec.structs.replace(loop.instance.secrets[TOKEN], origin="https://crm.example:443")
    loop.instance = msgspec.structs.replace(loop.instance, secrets={**loop.instance.secrets, TOKEN: forged})
    assert await used(loop) == []
    assert "crm" in (await available(loop)).unusable_servers
