"""Tells platforms that a connection ends, so that they call no webhook that no longer exists."""

from polyant.domain.channel_accounts import ChannelAccounts
from polyant.domain.channel_info import TearDown
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import ChannelAccount, ChannelConnection
from polyant.domain.errors import PolyantError, StorageUnavailableError
from polyant.domain.instances import InstanceId
from polyant.domain.ports.channel_connections import ChannelConnections


class ChannelTearDown:
    """Ends the arrival of events at connections.

    Args:
        connections: Stores the connections.
        channels: Finds the adapters.
        accounts: Decrypts the credentials.
    """

    def __init__(
        self, *, connections: ChannelConnections, channels: ChannelRegistry, accounts: ChannelAccounts
    ) -> None:
        self._connections = connections
        self._channels = channels
        self._accounts = accounts

    async def accounts_of(self, instance_id: InstanceId) -> tuple[ChannelAccount, ...]:
        """Returns the accounts of an instance to which platforms deliver events, as far as they can be decrypted.

        Raises:
            StorageUnavailableError: The database is unavailable.
        """
        found = []
        for connection in await self._connections.list(instance_id=instance_id):
            try:
                found += [await self._accounts.open(connection)] if connection.is_active else []
            except StorageUnavailableError:
                raise
            except PolyantError:  # an unreadable credential must not keep an instance from being deleted
                continue
        return tuple(found)

    async def of_connection(self, connection: ChannelConnection) -> str | None:
        """Returns None once the platform has been told, or why it wasn't; inactive ones need nothing."""
        if not connection.is_active:
            return None
        try:
            return await self.of_account(await self._accounts.open(connection))
        except PolyantError as error:
            return error.explanation

    async def of_account(self, account: ChannelAccount) -> str | None:
        """Returns None once the platform of the account has been told, or why it wasn't."""
        try:
            adapter = await self._channels.get(account.connection.channel)
            await adapter.check(account, TearDown())
        except PolyantError as error:
            return error.explanation
        return None
