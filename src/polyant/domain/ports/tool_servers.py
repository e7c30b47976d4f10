"""Port: the tools of an instance's MCP servers."""

import enum
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

import msgspec

from polyant.domain.instances import Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.secrets import SecretText
from polyant.domain.tools import OfferedTool
from polyant.domain.trace_context import TraceContext

MIN_SECRET_CHARACTERS = 8
"""Shorter header values aren't treated as secrets: masking a tenant number, for example, would garble results."""


OPEN_SECONDS = 5
"""How long a server may take to list its tools."""


class ServerFault(enum.StrEnum):
    """Why a whole server can't be used."""

    UNREACHABLE = "unreachable"
    """There is no connection."""
    NOT_PUBLIC = "not public"
    """It has no public IP address, and connections may go to those only."""
    SLOW = "slow"
    """It isn't ready in time."""
    REFUSED = "refused"
    """It responds with the status of an error."""
    UNUSABLE = "unusable"
    """Its responses aren't those of an MCP server."""
    NOT_INSTALLED = "not installed"
    """The adapter lacks a package, for any server."""


class ServerAccess(msgspec.Struct, frozen=True, kw_only=True):
    """A server and the headers that authenticate Polyant to it."""

    server: McpServer
    headers: Mapping[str, SecretText] = {}
    public_only: bool = False
    """Whether connections may go to public IP addresses only, see `polyant.domain.public_addresses`."""
    trace: TraceContext | None = None
    """The trace that the requests belong to; its headers are sent to the server."""


class Omission(msgspec.Struct, frozen=True, kw_only=True):
    """A server, or one of its tools, that a turn runs without."""

    server: str
    tool: str | None = None
    """The server's own name for the tool; None for the whole server, or for tools whose names are unknown."""
    reason: str
    fault: ServerFault | None = None
    """The kind of the fault, if the whole server is omitted."""


class OpenedServers(msgspec.Struct, frozen=True, kw_only=True):
    """The tools of the opened servers, and what is missing."""

    tools: Sequence[OfferedTool] = ()
    omissions: Sequence[Omission] = ()


@runtime_checkable
class ToolServers(Protocol):
    """A client for servers that speak the Model Context Protocol."""

    @abstractmethod
    def open(self, slug: Slug, accesses: Sequence[ServerAccess]) -> AbstractAsyncContextManager[OpenedServers]:
        """Returns a context manager that yields the allowed tools, named `server__tool`, for one turn of the instance.

        The servers are contacted concurrently. A server that is unreachable, fails or isn't ready within `OPEN_SECONDS`
        is skipped. A tool that can't be read is skipped, and so is one that providers would refuse, because its schema
        isn't an object's; the server's other tools stay. Each skipped server or tool is an omission and logs a warning;
        that of a server has its fault. Entering never fails. At most 4 MiB and 1,000 tools of a server are read.

        If the full name isn't 1 to 64 of a-z, A-Z, 0-9, _ and -, the tool has an alias, which is the same in each turn
        and begins with `server__`. Names are distinct. Schemas have no references, and are repaired where providers
        would refuse them.

        A call returns the text of the server's result; other content is described, and structured content follows
        unless the text contains it. If the tool failed, the call raises ToolError with the server's own text. If the
        server is gone or returns more than 4 MiB, it raises ToolError too. If the server has forgotten the session,
        the session is opened again once and the call is repeated. Calls may overlap, and a cancelled call ends
        immediately.

        Headers are sent only to the origin of their server, also after a redirect. Header values of at least
        MIN_SECRET_CHARACTERS never appear in results, errors or the log.

        A server with `public_only` is never reached at an IP address that isn't public, whatever its name resolves to.

        Any task may exit the context. Exiting closes and stops everything within half a second.
        """
