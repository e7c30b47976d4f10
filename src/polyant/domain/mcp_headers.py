"""Headers for MCP servers: a secret is only ever sent to the origin that it was entered for."""

import re
from collections.abc import Iterator, Mapping

from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.mcp_servers import McpServer
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretName, SecretText

_HEADER_VALUE = re.compile(r"\A[!-~]([ -~]*[!-~])?\Z")


async def headers_for(instance: Instance, server: McpServer, cipher: SecretCipher) -> Mapping[str, SecretText]:
    """Returns the headers to send to one of the instance's MCP servers.

    Raises:
        UnavailableError: A secret is missing, was entered for another address or is not a valid header value. The hint
            describes the fix.
        SecretUnreadableError: A secret can't be decrypted.
    """
    return {header: await _value_of(instance, server, name, cipher) for header, name in server.headers.items()}


def unusable_headers(instance: Instance) -> Iterator[str]:
    """Yields a problem and its fix for each MCP server secret that is missing or was entered for another address."""
    for server in instance.mcp_servers:
        for name in dict.fromkeys(server.headers.values()):
            fault = _fault(instance, server, name)
            if fault is not None:
                yield fault


async def _value_of(instance: Instance, server: McpServer, name: SecretName, cipher: SecretCipher) -> SecretText:
    fault = _fault(instance, server, name)
    if fault is not None:
        raise _unusable(server, fault)
    stored = instance.secrets[name]
    value = await cipher.open(stored.sealed, instance.address_of(stored))
    if not _HEADER_VALUE.match(value.reveal()):
        raise _unusable(server, f"The secret {name} of instance '{instance.slug}' is not a valid header value")
    return value


def _unusable(server: McpServer, hint: str) -> UnavailableError:
    return UnavailableError(f"The MCP server {server.name} can't be used", hint=hint)


def _fault(instance: Instance, server: McpServer, name: SecretName) -> str | None:
    stored = instance.secrets.get(name)
    if stored is not None and stored.origin == server.origin:
        return None
    state = "is missing" if stored is None else "was entered for another address"
    return (
        f"The secret {name} of instance '{instance.slug}' for the MCP server {server.name} {state}: "
        f"enter it (polyant secrets set {instance.slug} {name})"
    )
