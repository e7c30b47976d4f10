"""Port: which tools do an instance's MCP servers have, and what does a call of one give?"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

import msgspec

from polyant.domain.instances import Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.secrets import SecretText
from polyant.domain.tools import OfferedTool

MIN_SECRET_CHARACTERS = 8
"""What is shorter is no secret; to hide a tenant's number, say, would make a mess of results."""


class ServerAccess(msgspec.Struct, frozen=True, kw_only=True):
    """A server, and what it takes to be let in."""

    server: McpServer
    headers: Mapping[str, SecretText] = {}


@runtime_checkable
class ToolServers(Protocol):
    """Speaks the Model Context Protocol with servers elsewhere."""

    @abstractmethod
    def open(self, slug: Slug, accesses: Sequence[ServerAccess]) -> AbstractAsyncContextManager[Sequence[OfferedTool]]:
        """Gives the tools that the servers allow, named `server__tool`, for one turn of that instance.

        The servers are asked side by side. One that can't be reached, fails or isn't ready within five seconds is left
        out, and so is a tool that vendors refuse: its full name isn't 1 to 64 of a-z, A-Z, 0-9, _ and -, or its schema
        isn't that of an object. The log has a warning of each; entering never fails.

        A call gives the text of the server's result, with anything else described. It raises ToolError with the
        server's own words if the tool failed, and ToolError if the server is gone. Calls may overlap, and one that is
        cancelled ends at once.

        The headers are sent to the origin of their server and to no other, redirects included. Their values, if they
        are long enough to be secrets, show neither in results nor in errors nor in the log.

        Once it is left, by whichever task, nothing is open or running any more; that takes no longer than half a
        second.
        """
