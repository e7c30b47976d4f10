"""MCP servers: the configuration of the servers whose tools an instance uses."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from polyant.domain.errors import InvalidInputError
from polyant.domain.secrets import CALLER_KEYS, SecretName, parse_secret_name
from polyant.domain.urls import is_server_url, origin_of

ALL_TOOLS = "*"
"""Used instead of tool names to allow all tools of a server."""

MAX_MCP_SERVERS = 16

MCP_SERVER_NAME_PATTERN = re.compile(r"\A[a-z][a-z0-9-]{0,31}\Z")
MCP_TOOL_PATTERN = re.compile(r"\A[!-~]{1,128}\Z")
MAX_MCP_URL_CHARACTERS = 2_048

_HEADER = re.compile(r"\A[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}\Z")
_SET_BY_THE_PROTOCOL = re.compile(
    r"\A(host|connection|content-.*|transfer-encoding|te|upgrade|accept|accept-encoding|last-event-id|mcp-.*)\Z"
)


class McpServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server whose tools an instance uses under the names `name__tool`."""

    name: str
    """Has no underscores, so that the tools' names are unambiguous."""
    url: str
    headers: Mapping[str, SecretName] = {}
    """The secrets that contain the full values of the headers sent with each request, by header name."""
    tools: tuple[str, ...] = ()
    """The allowed tools, by the server's own names; `*` alone allows all of them."""

    @property
    def origin(self) -> str:
        """The only origin that the headers are sent to."""
        return origin_of(self.url)

    def allows(self, tool: str) -> bool:
        """Returns whether the server's tool with that name is allowed."""
        return ALL_TOOLS in self.tools or tool in self.tools


def check_mcp_servers(servers: Sequence[McpServer]) -> None:
    """Checks that the servers are a valid configuration of one instance.

    Raises:
        InvalidInputError: They aren't; the message names the server and the rule.
    """
    if len(servers) > MAX_MCP_SERVERS:
        raise InvalidInputError(f"An instance can have at most {MAX_MCP_SERVERS} MCP servers")
    origins: dict[SecretName, str] = {}
    for server in servers:
        try:
            _check(server)
        except InvalidInputError as error:
            raise InvalidInputError(f"MCP server '{server.name}': {error.message}") from None
        if any(origins.setdefault(secret, server.origin) != server.origin for secret in server.headers.values()):
            raise InvalidInputError(f"MCP server '{server.name}': its secrets are already sent to another address")
    if len({server.name for server in servers}) < len(servers):
        raise InvalidInputError("The MCP servers of an instance must have unique names")


def check_mcp_name(name: str) -> str:
    """Returns the name of a server.

    Raises:
        InvalidInputError: It isn't valid.
    """
    if not MCP_SERVER_NAME_PATTERN.match(name):
        raise InvalidInputError("the name must be 1 to 32 characters: a-z, 0-9 and -, starting with a letter")
    return name


def check_mcp_url(url: str) -> str:
    """Returns the URL of a server.

    Raises:
        InvalidInputError: It isn't valid.
    """
    if len(url) > MAX_MCP_URL_CHARACTERS or not is_server_url(url) or "#" in url:
        raise InvalidInputError(
            "the URL must start with http:// or https://, contain a host, and have no user or fragment"
        )
    return url


def check_mcp_tools(tools: Sequence[str]) -> Sequence[str]:
    """Returns the names of allowed tools.

    Raises:
        InvalidInputError: One of them isn't valid.
    """
    if not all(MCP_TOOL_PATTERN.match(tool) for tool in tools):
        raise InvalidInputError("a tool name must have 1 to 128 visible ASCII characters")
    return tools


def check_mcp_header(header: str) -> str:
    """Returns the name of a header.

    Raises:
        InvalidInputError: It isn't valid, or the protocol sets the header itself.
    """
    if not _HEADER.match(header) or _SET_BY_THE_PROTOCOL.match(header.lower()):
        raise InvalidInputError("a header must have a valid HTTP name, and the protocol must not set it itself")
    return header


def check_header_secret(text: str) -> SecretName:
    """Returns the name of the secret that contains a header's value.

    Raises:
        InvalidInputError: It isn't the name of a secret, or that of a key of the instance's callers.
    """
    secret = parse_secret_name(text)
    if secret in CALLER_KEYS:
        raise InvalidInputError(f"{secret} is the key of the instance's callers and must not be sent to a server")
    return secret


def _check(server: McpServer) -> None:
    check_mcp_name(server.name)
    check_mcp_url(server.url)
    check_mcp_tools(server.tools)
    for header, secret in server.headers.items():
        check_header_secret(secret)
        check_mcp_header(header)
