"""The failure of a whole MCP server."""

from polyant.domain.ports.tool_servers import ServerFault


class UnusableServerError(Exception):
    """A server that can't be used; the message says why.

    Args:
        reason: The reason, as a clause about the server.
        fault: The kind of the fault.
    """

    def __init__(self, reason: str, fault: ServerFault = ServerFault.UNUSABLE) -> None:
        super().__init__(reason)
        self.fault = fault
