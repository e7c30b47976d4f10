"""Use case: test the connection to an MCP server of an instance."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from polyant.domain.errors import NotFoundError, UnavailableError
from polyant.domain.instances import Instance, Slug
from polyant.domain.mcp_servers import ALL_TOOLS, McpServer
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.tool_servers import OPEN_SECONDS, Omission, OpenedServers, ServerFault
from polyant.domain.tool_access import ToolAccess
from polyant.domain.tools import OfferedTool
from polyant.domain.use_cases.set_mcp_server import McpServerChange, SetMcpServer
from polyant.domain.use_cases.show_instance import ShowInstance

_CHECK_NETWORK = "Check that the server runs and that this machine may reach it"


class FoundTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the server lists."""

    name: str
    """The server's own name for it."""
    description: str = ""
    enabled: bool
    """Whether the instance may use it."""
    offered_as: str | None = None
    """The name that the model sees; None if the tool can't be offered."""
    skipped: str | None = None
    """The reason why the tool can't be offered."""


class McpServerCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a test."""

    problem: str | None = None
    """The reason why the server can't be used, in sentences with the fix; None if it can."""
    tools: tuple[FoundTool, ...] = ()
    """All tools that the server lists, enabled ones first."""
    unknown_tools: tuple[str, ...] = ()
    """The enabled tools that the server doesn't list."""
    notes: tuple[str, ...] = ()
    """The reasons why the list of tools is incomplete."""

    @property
    def enabled(self) -> tuple[FoundTool, ...]:
        """The tools that the model is offered."""
        return tuple(tool for tool in self.tools if tool.enabled and tool.skipped is None)


class CheckMcpServer:
    """Connects to an MCP server as a turn would, and lists its tools.

    The rules for outbound addresses apply before it connects: an unsaved address must be one that the user may set,
    and the connection to an address that nobody has approved goes to public IP addresses only.
    """

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        tool_access: ToolAccess,
        outbound: OutboundPolicy,
        set_mcp_server: SetMcpServer,
        clock: Clock,
    ) -> None:
        self._show = ShowInstance(repo=repo)
        self._tool_access = tool_access
        self._outbound = outbound
        self._set = set_mcp_server
        self._clock = clock

    async def __call__(self, slug: Slug, name: str) -> McpServerCheck:
        """Returns the result for a stored server.

        Raises:
            UnknownInstanceError: No instance has that slug.
            NotFoundError: The instance has no such server.
        """
        instance = await self._show(slug)
        server = next((server for server in instance.mcp_servers if server.name == name), None)
        if server is None:
            raise NotFoundError(f"Instance '{slug}' has no MCP server '{name}'")
        return await self._check(instance, server)

    async def unsaved(self, slug: Slug, change: McpServerChange, *, unrestricted: bool = False) -> McpServerCheck:
        """Returns the result for a server as it would be after a change.

        With `unrestricted`, the user may set an address outside the public internet.

        Raises:
            UnknownInstanceError: No instance has that slug.
            McpServerExistsError: The server must be new, and the instance has one with its name.
            InvalidInputError: The change is invalid, or the user may not set the address; nothing is connected.
        """
        stored = await self._show(slug)
        changed = await self._set.applied(stored, change, now=self._clock.now(), unrestricted=unrestricted)
        return await self._check(changed, change.server)

    async def _check(self, instance: Instance, server: McpServer) -> McpServerCheck:
        try:
            async with self._tool_access.open_server(instance, server) as opened:
                fault = next((each for each in opened.omissions if each.fault is not None), None)
                if fault is not None:
                    public_only = self._outbound.restricts(instance, server.url)
                    return McpServerCheck(problem=_problem(server, fault, public_only=public_only))
                return _found(server, opened)
        except UnavailableError as error:
            return McpServerCheck(problem=f"{error.hint or error.message}.")


def _problem(server: McpServer, omission: Omission, *, public_only: bool) -> str:
    """Returns the problem and its fix; it doesn't tell whether a name has an address that isn't public."""
    place = urlsplit(server.url).netloc
    match omission.fault:
        case ServerFault.UNREACHABLE | ServerFault.NOT_PUBLIC if public_only:
            return (
                f"No connection to {place}. Check that the server runs and is on the public internet: only a "
                "superadmin can set other addresses."
            )
        case ServerFault.UNREACHABLE:
            return f"No connection to {place}. {_CHECK_NETWORK}."
        case ServerFault.SLOW:
            return f"No response from {place} within {OPEN_SECONDS} seconds. {_CHECK_NETWORK}."
        case ServerFault.REFUSED:
            return f"{place} refused: {omission.reason}. Check the URL and the values of the headers."
        case ServerFault.NOT_INSTALLED:
            return f"No MCP server can be used: {omission.reason}."
        case _:
            return (
                f"{place} can't be used: {omission.reason}. Check that the URL is that of an MCP server's Streamable "
                "HTTP endpoint."
            )


def _found(server: McpServer, opened: OpenedServers) -> McpServerCheck:
    tools = sorted(_tools(server, opened), key=lambda tool: not tool.enabled)
    listed = {tool.name for tool in tools}
    return McpServerCheck(
        tools=tuple(tools),
        unknown_tools=tuple(name for name in server.tools if name != ALL_TOOLS and name not in listed),
        notes=tuple(each.reason for each in opened.omissions if each.tool is None),
    )


def _tools(server: McpServer, opened: OpenedServers) -> Iterator[FoundTool]:
    for tool in opened.tools:
        name = _own_name(server, tool)
        yield FoundTool(
            name=name,
            description=tool.spec.description,
            enabled=server.allows(name),
            offered_as=tool.spec.name,
        )
    for omission in _skipped(opened.omissions):
        yield FoundTool(name=omission.tool or "", enabled=server.allows(omission.tool or ""), skipped=omission.reason)


def _skipped(omissions: Sequence[Omission]) -> Iterator[Omission]:
    return (omission for omission in omissions if omission.tool is not None)


def _own_name(server: McpServer, tool: OfferedTool) -> str:
    """Returns the server's own name for a tool."""
    return tool.spec.name.removeprefix(f"{server.name}__") if tool.original_name is None else tool.original_name
