"""/api/instances/{slug}/mcp-servers: the MCP servers of an instance."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from litestar import Controller, Response, get, post, put
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
from polyant.domain.use_cases.check_mcp_server import CheckMcpServer, McpServerCheck
from polyant.domain.use_cases.replace_mcp_servers import ReplaceMcpServers
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Body, ResponseBody, pattern_schema, slug_in

ServerTool = Annotated[str, Meta(extra_json_schema=pattern_schema(MCP_TOOL_PATTERN))]
_HEADERS = Meta(
    description="Headers to send to the server, each with the name of the secret that contains its value",
    examples=[{"Authorization": "crm_token"}],
)
_TOOLS = Meta(
    description="Tools to enable, by the server's names for them; `*` enables all", examples=[["find_customer"]]
)


class McpServerOut(ResponseBody, frozen=True, kw_only=True):
    """An MCP server."""

    name: Annotated[str, Meta(examples=["crm"])]
    url: Annotated[str, Meta(examples=["https://crm.example/mcp"])]
    headers: Annotated[Mapping[str, str], _HEADERS]
    tools: Annotated[tuple[str, ...], _TOOLS]


class McpServersResponse(ResponseBody, frozen=True, kw_only=True):
    """The MCP servers of an instance."""

    mcp_servers: tuple[McpServerOut, ...]
    problems: Annotated[
        tuple[str, ...], Meta(description="Problems that keep servers from being used, such as a missing secret")
    ]


class McpServerBody(Body, frozen=True, kw_only=True):
    """An MCP server with the Streamable HTTP transport."""

    name: Annotated[
        str,
        Meta(
            extra_json_schema=pattern_schema(MCP_SERVER_NAME_PATTERN),
            description="Unique name; it prefixes the names of the server's tools",
            examples=["crm"],
        ),
    ]
    url: Annotated[
        str,
        Meta(
            max_length=MAX_MCP_URL_CHARACTERS,
            description="URL of the Streamable HTTP endpoint",
            examples=["https://crm.example/mcp"],
        ),
    ]
    headers: Annotated[Mapping[str, str], _HEADERS] = {}
    tools: Annotated[tuple[ServerTool, ...], _TOOLS] = ()


class PutMcpServersBody(Body, frozen=True, kw_only=True):
    """The complete list of the instance's MCP servers."""

    mcp_servers: Annotated[tuple[McpServerBody, ...], Meta(max_length=MAX_MCP_SERVERS)]


class FoundToolOut(ResponseBody, frozen=True, kw_only=True):
    """A tool that an MCP server lists."""

    name: Annotated[str, Meta(description="The server's own name for the tool", examples=["find_customer"])]
    description: str
    enabled: Annotated[bool, Meta(description="Whether the instance may use the tool")]
    offered_as: Annotated[str | None, Meta(description="Name that the model sees; null if the tool can't be offered")]
    skipped: Annotated[str | None, Meta(description="Reason why the tool can't be offered")]


class McpServerTestResponse(ResponseBody, frozen=True, kw_only=True):
    """The result of testing the connection to an MCP server."""

    usable: Annotated[bool, Meta(description="Whether the server can be used")]
    problem: Annotated[str | None, Meta(description="Reason why the server can't be used, and the fix")]
    tools: Annotated[tuple[FoundToolOut, ...], Meta(description="All tools of the server, enabled ones first")]
    unknown_tools: Annotated[tuple[str, ...], Meta(description="Enabled tools that the server doesn't list")]
    notes: Annotated[tuple[str, ...], Meta(description="Reasons why the list of tools is incomplete")]


class McpServersController(Controller):
    """The MCP servers of one instance."""

    path = "/instances/{slug:str}/mcp-servers"
    tags = ("MCP servers",)

    @get(summary="List an instance's MCP servers", responses=read_errors(404))
    async def show(
        self, *, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[McpServersResponse]:
        """Returns the MCP servers, and the names of the secrets that their headers use."""
        return _response(await show_instance(slug_in(slug)))

    @put(summary="Replace an instance's MCP servers", responses=write_errors(404, 412))
    async def replace(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        data: JSONBody[PutMcpServersBody],
        replace_mcp_servers: NamedDependency[ReplaceMcpServers],
        if_match: IfMatch = None,
    ) -> Response[McpServersResponse]:
        """Replaces all MCP servers of the instance with the given ones."""
        instance = await replace_mcp_servers(
            slug_in(slug),
            tuple(map(mcp_server_in, data.mcp_servers)),
            by=request.auth.actor,
            unrestricted=request.auth.unrestricted,
            expected_versions=versions_in(if_match),
        )
        return _response(instance)

    @post(
        "/{name:str}/test", summary="Test the connection to an MCP server", status_code=200, responses=write_errors(404)
    )
    async def test(
        self, *, slug: FromPath[str], name: FromPath[str], check_mcp_server: NamedDependency[CheckMcpServer]
    ) -> Response[McpServerTestResponse]:
        """Connects to a stored MCP server as a turn would, and returns its tools or the problem.

        Nothing is stored. The request takes up to five seconds.
        """
        return Response(_test_response(await check_mcp_server(slug_in(slug), name)))


def mcp_server_in(server: McpServerBody) -> McpServer:
    """Returns the server as a domain object; the domain validates it."""
    headers = {name: SecretName(secret) for name, secret in server.headers.items()}
    return McpServer(name=server.name, url=server.url, headers=headers, tools=server.tools)


def mcp_server_out(server: McpServer) -> McpServerOut:
    """Returns the server as a wire struct."""
    return McpServerOut(name=server.name, url=server.url, headers=server.headers, tools=server.tools)


def _test_response(check: McpServerCheck) -> McpServerTestResponse:
    return McpServerTestResponse(
        usable=check.problem is None,
        problem=check.problem,
        tools=tuple(FoundToolOut(**msgspec.structs.asdict(tool)) for tool in check.tools),
        unknown_tools=check.unknown_tools,
        notes=check.notes,
    )


def _response(instance: Instance) -> Response[McpServersResponse]:
    content = McpServersResponse(
        mcp_servers=tuple(map(mcp_server_out, instance.mcp_servers)), problems=tuple(unusable_headers(instance))
    )
    return Response(content, headers={"ETag": etag_of(instance.version)})
