"""Use case: find a channel connection, and decrypt its credentials."""

from polyant.domain.channel_accounts import account_of
from polyant.domain.channels import ChannelAccount, ChannelConnection, ChannelName, ConnectionId, UnknownConnectionError
from polyant.domain.instances import Instance
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher

_MAX_KNOWN = 1_000


class OpenAccount:
    """Opens accounts for calls of a Channel.

    An account is decrypted again once its connection or its instance was read again.
    """

    def __init__(self, *, connections: ChannelConnections, repo: InstanceRepo, cipher: SecretCipher) -> None:
        self._connections = connections
        self._repo = repo
        self._cipher = cipher
        self._known: dict[ConnectionId, tuple[ChannelAccount, Instance]] = {}

    async def find(self, channel: str, account: str) -> ChannelConnection:
        """Returns the connection of an account.

        Raises:
            UnknownConnectionError: The account isn't connected.
        """
        found = await self._connections.list(channel=ChannelName(channel))
        connection = next((each for each in found if each.account == account), None)
        if connection is None:
            raise UnknownConnectionError
        return connection

    async def __call__(self, connection: ChannelConnection) -> tuple[ChannelAccount, Instance]:
        """Returns the account with its credentials, and its instance.

        Raises:
            UnknownConnectionError: The instance no longer exists.
            UnavailableError: A credential is missing or unreadable.
        """
        instance = await self._repo.get(connection.slug)
        if instance is None or instance.id != connection.instance_id:
            raise UnknownConnectionError
        known = self._known.get(connection.id)
        if known is not None and known[0].connection is connection and known[1] is instance:
            return known
        opened = await account_of(connection, instance, self._cipher), instance
        while len(self._known) >= _MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[connection.id] = opened
        return opened
