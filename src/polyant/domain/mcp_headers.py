"""Headers for MCP servers: a secret is only ever sent to the origin that it was entered for."""

import re
from collections.abc import Iterator, Mapping

import msgspec

from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.mcp_servers import McpServer
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretName, SecretText

_HEADER_VALUE = re.compile(r"\A[!-~]([ -~]*[!-~])?\Z")


class HeaderFault(msgspec.Struct, frozen=True):
    """A secret of an MCP server's headers that can't be sent."""

    secret: SecretName
    missing: bool
    """Whether there is no such secret; otherwise, it was entered for another address."""


async def headers_for(instance: Instance, server: McpServer, cipher: SecretCipher) -> Mapping[str, SecretText]:
    """Returns the headers to send to one of the instance's MCP servers.

    Raises:
        UnavailableError: A secret is missing, was entered for another address or is not a valid header value. The hint
            describes the fix.
        SecretUnreadableError: A secret can't be decrypted.
    """
    fault = next(header_faults(instance, server), None)
    if fault is not None:
        raise _unusable(server, _problem(instance, server, fault))
    return {header: await _value_of(instance, server, name, cipher) for header, name in server.headers.items()}


def header_faults(instance: Instance, server: McpServer) -> Iterator[HeaderFault]:
    """Yields each secret of the server's headers that is missing or was entered for another address."""
    for name in dict.fromkeys(server.headers.values()):
        stored = instance.secrets.get(name)
        if stored is None or stored.origin != server.origin:
            yield HeaderFault(name, stored is None)


def unusable_headers(instance: Instance) -> Iterator[str]:
    """Yields a problem and its fix for each MCP server secret that is missing or was entered for another address."""
    for server in instance.mcp_servers:
        for fault in header_faults(instance, server):
            yield _problem(instance, server, fault)


async def _value_of(instance: Instance, server: McpServer, name: SecretName, cipher: SecretCipher) -> SecretText:
    stored = instance.secrets[name]
    value = await cipher.open(stored.sealed, instance.address_of(stored))
    if not _HEADER_VALUE.match(value.reveal()):
        raise _unusable(server, f"The secret {name} of instance '{instance.slug}' is not a valid header value")
    return value


def _unusable(server: McpServer, hint: str) -> UnavailableError:
    return UnavailableError(f"The MCP server {server.name} can't be used", hint=hint)


def _problem(instance: Instance, server: McpServer, fault: HeaderFault) -> str:
    state = "is missing" if fault.missing else "was entered for another address"
    return (
        f"The secret {fault.secret} of instance '{instance.slug}' for the MCP server {server.name} {state}: "
        f"enter it (polyant secrets set {instance.slug} {fault.secret})"
    )
