"""/api/instances/{slug}/mcp-servers: the servers whose tools an instance has besides."""

from collections.abc import Mapping
from typing import Annotated

from litestar import Controller, Response, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from polyant.domain.instances import Instance
from polyant.domain.mcp_headers import unusable_headers
from polyant.domain.mcp_servers import (
    MAX_MCP_SERVERS,
    MAX_MCP_URL_CHARACTERS,
    MCP_SERVER_NAME_PATTERN,
    MCP_TOOL_PATTERN,
    McpServer,
)
from polyant.domain.secrets import SecretName
from polyant.domain.use_cases.replace_mcp_servers import ReplaceMcpServers
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Answer, Body, pattern_schema, slug_in
from polyant.http.refusals import read_refusals, write_refusals

ServerTool = Annotated[str, Meta(extra_json_schema=pattern_schema(MCP_TOOL_PATTERN))]
_HEADERS = Meta(
    description="Headers that are sent to it, and the secrets that hold their values",
    examples=[{"Authorization": "crm_token"}],
)
_TOOLS = Meta(
    description="Its own names of the tools that the instance has; `*` is all of them", examples=[["find_customer"]]
)


class McpServerOut(Answer, frozen=True, kw_only=True):
    """A server that speaks the Model Context Protocol."""

    name: Annotated[str, Meta(examples=["crm"])]
    url: Annotated[str, Meta(examples=["https://crm.example/mcp"])]
    headers: Annotated[Mapping[str, str], _HEADERS]
    tools: Annotated[tuple[str, ...], _TOOLS]


class McpServersAnswer(Answer, frozen=True, kw_only=True):
    """The servers, and what is to be done before all of them can be used."""

    mcp_servers: tuple[McpServerOut, ...]
    problems: tuple[str, ...]


class McpServerBody(Body, frozen=True, kw_only=True):
    """A server that speaks the Model Context Protocol (Streamable HTTP)."""

    name: Annotated[str, Meta(extra_json_schema=pattern_schema(MCP_SERVER_NAME_PATTERN), examples=["crm"])]
    url: Annotated[str, Meta(max_length=MAX_MCP_URL_CHARACTERS, examples=["https://crm.example/mcp"])]
    headers: Annotated[Mapping[str, str], _HEADERS] = {}
    tools: Annotated[tuple[ServerTool, ...], _TOOLS] = ()


class PutMcpServersBody(Body, frozen=True, kw_only=True):
    """All servers of the instance."""

    mcp_servers: Annotated[tuple[McpServerBody, ...], Meta(max_length=MAX_MCP_SERVERS)]


class McpServersController(Controller):
    """The MCP servers of one instance."""

    path = "/instances/{slug:str}/mcp-servers"
    tags = ("MCP servers",)

    @get(summary="Show an instance's MCP servers", responses=read_refusals(404))
    async def show(
        self, *, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[McpServersAnswer]:
        """Shows the servers, with the names of the secrets that their headers are filled from."""
        return _answer(await show_instance(slug_in(slug)))

    @put(summary="Choose an instance's MCP servers", responses=write_refusals(404, 412))
    async def replace(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        data: JSONBody[PutMcpServersBody],
        replace_mcp_servers: NamedDependency[ReplaceMcpServers],
        if_match: IfMatch = None,
    ) -> Response[McpServersAnswer]:
        """Gives the instance these servers and no others. A header's value is the secret that is named for it."""
        instance = await replace_mcp_servers(
            slug_in(slug),
            tuple(map(mcp_server_in, data.mcp_servers)),
            by=request.auth.actor,
            expected_versions=versions_in(if_match),
        )
        return _answer(instance)


def mcp_server_in(server: McpServerBody) -> McpServer:
    """Returns the server in the domain's terms; what it may be is checked there."""
    headers = {name: SecretName(secret) for name, secret in server.headers.items()}
    return McpServer(name=server.name, url=server.url, headers=headers, tools=server.tools)


def mcp_server_out(server: McpServer) -> McpServerOut:
    """Returns what is shown of a server."""
    return McpServerOut(name=server.name, url=server.url, headers=server.headers, tools=server.tools)


def _answer(instance: Instance) -> Response[McpServersAnswer]:
    content = McpServersAnswer(
        mcp_servers=tuple(map(mcp_server_out, instance.mcp_servers)), problems=tuple(unusable_headers(instance))
    )
    return Response(content, headers={"ETag": etag_of(instance.version)})
