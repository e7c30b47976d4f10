"""Use case: add or replace an MCP server of an instance."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import ConflictError
from polyant.domain.instances import Instance, Slug, check_instance
from polyant.domain.mcp_servers import McpServer
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.set_secret import parse_secrets, with_secrets


class McpServerExistsError(ConflictError):
    """The instance already has an MCP server with that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"MCP server '{name}' already exists")


class McpServerChange(msgspec.Struct, frozen=True, kw_only=True):
    """An MCP server to add or to replace."""

    server: McpServer
    replaces: str | None = None
    """The name of the server to replace, which may differ from the new name; None means the one with that name."""
    adds: bool = False
    """Whether the server must be a new one."""
    secrets: Mapping[str, str] = {}
    """The secrets to store with it, by name; the representation doesn't contain them."""

    def __repr__(self) -> str:
        """Returns a representation without secrets."""
        return f"McpServerChange(server={self.server!r})"


class SetMcpServer:
    """Adds an MCP server or replaces one, together with the secrets of its headers."""

    def __init__(
        self,
        *,
        edit: EditInstance,
        outbound: OutboundPolicy,
        cipher: SecretCipher,
        providers: Mapping[str, ProviderInfo],
    ) -> None:
        self._edit = edit
        self._outbound = outbound
        self._cipher = cipher
        self._providers = providers

    async def __call__(
        self,
        slug: Slug,
        change: McpServerChange,
        *,
        by: Actor,
        unrestricted: bool = False,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        """Returns the stored instance.

        With `unrestricted`, the author may set an address outside the public internet.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InstanceChangedError: The instance has none of the expected versions.
            McpServerExistsError: The server must be new, and the instance has one with its name.
            InvalidInputError: The server or a secret is invalid, or the author may not set its address.
        """

        async def put(instance: Instance, now: datetime) -> Instance:
            return await self.applied(instance, change, now=now, unrestricted=unrestricted)

        details = (change.server.name, *(f"secrets.{name}" for name in change.secrets))
        return await self._edit(slug, put, Change(by, "mcp_servers.set", details), expected_versions=expected_versions)

    async def applied(
        self, instance: Instance, change: McpServerChange, *, now: datetime, unrestricted: bool
    ) -> Instance:
        """Returns the instance with the change; nothing is stored.

        Raises:
            McpServerExistsError: The server must be new, and the instance has one with its name.
            InvalidInputError: The server or a secret is invalid, or the author may not set its address.
        """
        secrets, server = parse_secrets(change.secrets), change.server
        changed = check_instance(msgspec.structs.replace(instance, mcp_servers=_with(instance.mcp_servers, change)))
        approved = self._outbound.approved(changed, [server.url], unrestricted=unrestricted, before=instance)
        return await with_secrets(self._cipher, approved, secrets, providers=self._providers, now=now)


def _with(servers: tuple[McpServer, ...], change: McpServerChange) -> tuple[McpServer, ...]:
    """Returns the servers after the change; a replaced one keeps its place."""
    names = [known.name for known in servers]
    if change.adds and change.server.name in names:
        raise McpServerExistsError(change.server.name)
    replaced = change.server.name if change.replaces is None else change.replaces
    if replaced not in names:
        return (*servers, change.server)
    return tuple(change.server if known.name == replaced else known for known in servers)
