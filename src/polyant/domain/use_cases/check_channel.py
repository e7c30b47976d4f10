"""Use case: ask the platform about a connected account."""

from polyant.domain.channel_accounts import ChannelAccounts
from polyant.domain.channel_info import AccountState
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import ChannelName
from polyant.domain.errors import PolyantError
from polyant.domain.instances import Slug
from polyant.domain.use_cases.list_channels import ListChannels


class CheckChannel:
    """Checks the credentials of a connection with the platform; changes nothing."""

    def __init__(self, *, list_channels: ListChannels, channels: ChannelRegistry, accounts: ChannelAccounts) -> None:
        self._list_channels = list_channels
        self._channels = channels
        self._accounts = accounts

    async def __call__(self, slug: Slug, channel: ChannelName) -> AccountState:
        """Returns the account's state; failures of the platform and missing credentials are among its problems.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownConnectionError: The instance isn't connected to that channel.
        """
        connection = await self._list_channels.one(slug, channel)
        if not connection.has_account:
            return AccountState(account="", problems=("The channel was imported and isn't connected yet",))
        paused = () if connection.is_active else ("The connection is paused: connect the channel again to use it here",)
        try:
            adapter = await self._channels.get(channel)
            state = await adapter.check(await self._accounts.open(connection))
        except PolyantError as error:
            return AccountState(
                account=connection.account, name=connection.account_name, problems=(error.explanation, *paused)
            )
        return AccountState(
            account=state.account, name=state.name, options=state.options, problems=(*state.problems, *paused)
        )
