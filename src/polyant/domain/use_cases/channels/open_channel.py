"""Use case: open the account of a connection with its adapter."""

from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import ChannelConnection, UnknownConnectionError
from polyant.domain.errors import PolyantError, StorageUnavailableError
from polyant.domain.use_cases.channels.lane_account import LaneAccount
from polyant.domain.use_cases.channels.open_account import OpenAccount
from polyant.domain.use_cases.channels.record_problems import RecordProblems


class OpenChannel:
    """Opens accounts, and records with the connection if that fails."""

    def __init__(self, *, open_account: OpenAccount, channels: ChannelRegistry, problems: RecordProblems) -> None:
        self._open_account = open_account
        self._channels = channels
        self._problems = problems

    async def find(self, channel: str, account: str) -> ChannelConnection:
        """Returns the connection of an account.

        Raises:
            UnknownConnectionError: The account isn't connected.
        """
        return await self._open_account.find(channel, account)

    async def __call__(self, connection: ChannelConnection) -> LaneAccount:
        """Returns the account with its credentials, its instance and its adapter.

        Raises:
            UnknownConnectionError: The instance no longer exists.
            PolyantError: A credential is missing or unreadable, or the adapter isn't enabled or can't be loaded.
        """
        try:
            account, instance = await self._open_account(connection)
            opened = LaneAccount(account, instance, await self._channels.get(connection.channel))
        except (UnknownConnectionError, StorageUnavailableError):
            raise
        except PolyantError as error:
            await self._problems.began(connection, ProblemKind.UNUSABLE, error.explanation)
            raise
        await self._problems.ended(connection, ProblemKind.UNUSABLE)
        return opened
