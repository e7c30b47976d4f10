"""Which tools a turn has, and which secrets go to which server."""

from collections.abc import Sequence

import msgspec
import pytest

from polyant.domain.chat import ToolResult, ToolSpec
from polyant.domain.mcp_servers import McpServer
from polyant.domain.secrets import SecretName
from polyant.domain.tools import OfferedTool, ToolContext
from polyant.testing.played_parts import PlayedStep
from polyant.testing.supervisor import ANSWER, text_in
from support.logs import collected, fields_of
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


async def offered(loop: ToolLoop) -> list[str]:
    _, (request,) = await loop.run([ANSWER])
    return [spec.name for spec in request.tools]


async def used(loop: ToolLoop) -> Sequence[McpServer]:
    """Returns the servers that are opened for a turn."""
    await loop.run([ANSWER])
    return [access.server for _, accesses in loop.servers.asked for access in accesses]


async def test_tools_that_are_not_installed_or_lack_a_secret_are_not_offered(loop: ToolLoop) -> None:
    loop.add_tool("crm", answer, secrets=(TOKEN, SecretName("crm_tenant")))
    loop.instance = msgspec.structs.replace(loop.instance, tools=("crm", "gone", "answer"))
    assert await offered(loop) == ["answer"]
    loop.set_secret("crm_token", "x" * 9)
    assert await offered(loop) == ["answer"]
    loop.set_secret("crm_tenant", "7")
    assert await offered(loop) == ["crm", "answer"]


async def test_tool_that_is_installed_and_not_enabled_is_not_offered(loop: ToolLoop) -> None:
    loop.instance = msgspec.structs.replace(loop.instance, tools=("fail",))
    assert await offered(loop) == ["fail"]


async def test_servers_are_not_asked_for_an_instance_without_any(loop: ToolLoop) -> None:
    await loop.run([ANSWER])
    assert loop.servers.asked == []


async def test_tools_of_servers_join_the_instance_s_own(loop: ToolLoop) -> None:
    with_servers(loop, FILES)
    loop.servers.tools = [remote("files__read")]
    events, (_, request) = await loop.run([PlayedStep(tools=("files__read",)), ANSWER])
    assert [spec.name for spec in request.tools] == ["answer", "fail", "hang", "files__read"]
    assert [said.content for said in request.messages if isinstance(said, ToolResult)] == ["theirs "]
    assert text_in(events) == "It is so."
    assert loop.servers.open_now == 0


async def test_tool_of_a_server_does_not_take_the_place_of_the_instance_s_own(loop: ToolLoop) -> None:
    with_servers(loop, FILES)
    loop.servers.tools = [remote("answer")]
    _, (_, request) = await loop.run([PlayedStep(tools=("answer",)), ANSWER])
    assert [spec.name for spec in request.tools] == ["answer", "fail", "hang"]
    assert [said.content for said in request.messages if isinstance(said, ToolResult)] == ["forty-two"]


async def test_no_more_tools_are_offered_than_vendors_take_and_the_log_says_so(loop: ToolLoop) -> None:
    with_servers(loop, FILES)
    loop.servers.tools = [remote(f"files__{number}") for number in range(200)]
    with collected("polyant.turn") as records:
        names = await offered(loop)
    assert len(names) == 128
    assert names[:3] == ["answer", "fail", "hang"]
    assert {"tools": 203, "offered": 128} | fields_of(records[0]) == fields_of(records[0])


async def test_server_of_which_no_tool_is_allowed_is_not_opened(loop: ToolLoop) -> None:
    with_servers(loop, msgspec.structs.replace(FILES, tools=()))
    assert await used(loop) == []


async def test_server_gets_its_headers_opened(loop: ToolLoop) -> None:
    with_servers(loop, CRM, FILES)
    loop.set_secret("crm_token", "Bearer abc", origin="https://crm.example:443")
    await loop.run([ANSWER])
    ((slug, (crm, files)),) = loop.servers.asked
    assert slug == loop.instance.slug
    assert {name: value.reveal() for name, value in crm.headers.items()} == {
        "Authorization": "Bearer abc",
        "X-Again": "Bearer abc",
    }
    assert files.headers == {}


@pytest.mark.parametrize(
    ("value", "origin", "why"),
    [
        (None, None, "is missing"),
        ("Bearer abc", None, "was entered for another address"),
        ("Bearer abc", "https://crm.example:8443", "was entered for another address"),
        ("Bearer abc", "http://crm.example:80", "was entered for another address"),
        ("two\nlines", "https://crm.example:443", "is not what a header can hold"),
        ("grün", "https://crm.example:443", "is not what a header can hold"),
    ],
)
async def test_server_whose_secret_does_not_serve_costs_the_turn_its_tools_and_nothing_else(
    loop: ToolLoop, value: str | None, origin: str | None, why: str
) -> None:
    with_servers(loop, CRM, FILES)
    if value is not None:
        loop.set_secret("crm_token", value, origin)
    with collected("polyant.turn") as records:
        assert await used(loop) == [FILES]
    warning = fields_of(records[0])
    assert records[0].getMessage() == "MCP server not used"
    assert (warning["slug"], warning["server"]) == (loop.instance.slug, "crm")
    assert why in str(warning["why"])
    assert value is None or value not in str(warning)


async def test_secret_that_was_moved_in_the_store_is_not_sent(loop: ToolLoop) -> None:
    with_servers(loop, CRM)
    loop.set_secret("crm_token", "Bearer abc", origin="https://other.example:443")
    forged = msgspec.structs.replace(loop.instance.secrets[TOKEN], origin="https://crm.example:443")
    loop.instance = msgspec.structs.replace(loop.instance, secrets={**loop.instance.secrets, TOKEN: forged})
    assert await used(loop) == []
