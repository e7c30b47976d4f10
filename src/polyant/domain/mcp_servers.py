"""MCP servers: what an instance says of those whose tools it has."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from polyant.domain.errors import InvalidInputError
from polyant.domain.secrets import CALLER_KEYS, SecretName, parse_secret_name
from polyant.domain.urls import names_a_server, origin_of

ALL_TOOLS = "*"
"""In place of tools' names: whichever the server has."""

MAX_MCP_SERVERS = 16

MCP_SERVER_NAME_PATTERN = re.compile(r"\A[a-z][a-z0-9-]{0,31}\Z")
MCP_TOOL_PATTERN = re.compile(r"\A[!-~]{1,128}\Z")
MAX_MCP_URL_CHARACTERS = 2_048

_HEADER = re.compile(r"\A[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}\Z")
_SET_BY_THE_PROTOCOL = re.compile(
    r"\A(host|connection|content-.*|transfer-encoding|te|upgrade|accept|accept-encoding|last-event-id|mcp-.*)\Z"
)


class McpServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server whose tools an instance has as `name__tool`."""

    name: str
    """Without underscores, so that the tools' names are unambiguous."""
    url: str
    headers: Mapping[str, SecretName] = {}
    """Headers that are sent with each request, by name, and the secrets that hold their whole values."""
    tools: tuple[str, ...] = ()
    """The server's own names of the tools that may be used; `*` alone means all of them."""

    @property
    def origin(self) -> str:
        """The only origin that the headers are sent to."""
        return origin_of(self.url)

    def allows(self, tool: str) -> bool:
        """Returns whether the server's tool of that name may be used."""
        return ALL_TOOLS in self.tools or tool in self.tools


def check_mcp_servers(servers: Sequence[McpServer]) -> None:
    """Returns if an instance may have these servers.

    Raises:
        InvalidInputError: It may not; the message names the server and the rule.
    """
    if len(servers) > MAX_MCP_SERVERS:
        raise InvalidInputError(f"An instance has at most {MAX_MCP_SERVERS} MCP servers")
    origins: dict[SecretName, str] = {}
    for server in servers:
        try:
            _check(server)
        except InvalidInputError as error:
            raise InvalidInputError(f"MCP server '{server.name}': {error.message}") from None
        if any(origins.setdefault(secret, server.origin) != server.origin for secret in server.headers.values()):
            raise InvalidInputError(f"MCP server '{server.name}': its secrets are sent to another address already")
    if len({server.name for server in servers}) < len(servers):
        raise InvalidInputError("Each MCP server of an instance has a name of its own")


def _check(server: McpServer) -> None:
    if not MCP_SERVER_NAME_PATTERN.match(server.name):
        raise InvalidInputError("the name is 1 to 32 of a-z, 0-9 and -, starting with a letter")
    if len(server.url) > MAX_MCP_URL_CHARACTERS or not names_a_server(server.url) or "#" in server.url:
        raise InvalidInputError("the URL starts with http:// or https://, names a host, and has no user or fragment")
    if not all(MCP_TOOL_PATTERN.match(tool) for tool in server.tools):
        raise InvalidInputError("a tool's name has 1 to 128 visible ASCII characters")
    for header, secret in server.headers.items():
        _check_header(header, parse_secret_name(secret))


def _check_header(header: str, secret: SecretName) -> None:
    if not _HEADER.match(header) or _SET_BY_THE_PROTOCOL.match(header.lower()):
        raise InvalidInputError("a header has a name as HTTP wants it, and isn't one that the protocol sets itself")
    if secret in CALLER_KEYS:
        raise InvalidInputError(f"{secret} is the key of the instance's callers and is sent nowhere")
