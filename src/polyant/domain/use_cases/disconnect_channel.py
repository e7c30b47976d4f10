"""Use case: disconnect an instance from a chat platform."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.channel_accounts import ChannelAccounts
from polyant.domain.channel_info import TearDown
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import ChannelConnection, ChannelName, ConnectionChangedError, Delivery
from polyant.domain.errors import PolyantError
from polyant.domain.injectables import PublicUrl
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.clock import Clock
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.domain.versioned_edit import check_version


class DisconnectChannel:
    """Ends the arrival of events, and deletes the connection and its credentials."""

    def __init__(
        self,
        *,
        list_channels: ListChannels,
        connections: ChannelConnections,
        channels: ChannelRegistry,
        accounts: ChannelAccounts,
        public_url: PublicUrl,
        edit: EditInstance,
        clock: Clock,
    ) -> None:
        self._list_channels = list_channels
        self._connections = connections
        self._channels = channels
        self._accounts = accounts
        self._public_url = public_url
        self._edit = edit
        self._clock = clock

    async def __call__(
        self, slug: Slug, channel: ChannelName, *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> str | None:
        """Returns None, or why the platform may still call a webhook, of this server or of another one.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownConnectionError: The instance isn't connected to that channel.
            ConnectionChangedError: The connection has none of the expected versions.
        """
        connection = await self._list_channels.one(slug, channel)
        check_version(connection, expected_versions, lambda _: ConnectionChangedError())
        problem = await self._tear_down(connection) if connection.is_active else None
        audit = Change(by, "channel.disconnect", (channel,)).entry(self._clock.now(), instance=slug)
        await self._connections.delete(connection.id, version=connection.version, audit=audit)
        await self._delete_credentials(connection, by)
        return problem

    async def _tear_down(self, connection: ChannelConnection) -> str | None:
        try:
            adapter = await self._channels.get(connection.channel)
            pushes = connection.delivery is Delivery.WEBHOOK
            change = TearDown(f"{self._public_url}{connection.path}" if pushes else None)
            state = await adapter.check(await self._accounts.open(connection), change)
        except PolyantError as error:
            return error.explanation
        return "; ".join(state.problems) or None

    async def _delete_credentials(self, connection: ChannelConnection, by: Actor) -> None:
        names = frozenset(connection.credentials.values())

        def remove(instance: Instance, _: datetime) -> Instance:
            kept = {name: secret for name, secret in instance.secrets.items() if name not in names}
            return msgspec.structs.replace(instance, secrets=kept)

        if names:
            await self._edit(connection.slug, remove, Change(by, "secret.delete", tuple(sorted(names))))
