"""The tools of an instance's MCP servers as they are now, for `polyant instances show`."""

import logging

import msgspec

from polyant.cli.context import CliContext
from polyant.domain.instances import Instance
from polyant.domain.tool_access import ToolAccess


class McpToolState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool of an MCP server, or a whole server that can't be used, and the state."""

    name: str
    """The name that the model sees; the server's own name for a skipped tool; the server's name for a server."""
    ready: bool
    server: str
    original_name: str | None = msgspec.field(name="originalName", default=None)
    reason: str | None = None

    def __str__(self) -> str:
        """Returns the state in one line."""
        if self.reason is not None:
            return f"{self.name} (skipped: {self.reason})"
        return self.name if self.original_name is None else f"{self.name} (alias of {self.original_name})"


async def mcp_tools_of(context: CliContext, instance: Instance) -> tuple[McpToolState, ...]:
    """Returns the state of each tool; connects to the instance's MCP servers, if it has any with enabled tools."""
    if not any(server.tools for server in instance.mcp_servers):
        return ()
    # The result has the same reasons as these warnings.
    logging.getLogger("polyant.mcp").setLevel(logging.ERROR)
    own = frozenset(instance.tools)
    async with (await context.get(ToolAccess)).open(instance) as available:
        return (
            *(
                McpToolState(
                    name=tool.spec.name,
                    ready=True,
                    server=tool.spec.name.partition("__")[0],
                    original_name=tool.original_name,
                )
                for tool in available.tools
                if tool.spec.name not in own
            ),
            *(
                McpToolState(
                    name=omission.server if omission.tool is None else f"{omission.server}: {omission.tool}",
                    ready=False,
                    server=omission.server,
                    reason=omission.reason,
                )
                for omission in available.omissions
            ),
            *(
                McpToolState(name=server, ready=False, server=server, reason=error.explanation)
                for server, error in available.unusable_servers.items()
            ),
        )
