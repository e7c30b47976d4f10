"""Checks a bot's token, and sets or deletes its webhook."""

from datetime import UTC, datetime

import msgspec

from polyant.adapters.channels.platform_http import CallFailedError
from polyant.adapters.channels.telegram.bot_api import BotApi, BotApiError
from polyant.adapters.channels.telegram.update_source import ALLOWED_UPDATES
from polyant.adapters.channels.telegram.wire import User, WebhookInfo
from polyant.domain.channel_info import AccountState, ChannelRefusedError, ChannelUnreachableError, SetUp, TearDown
from polyant.domain.channels import ChannelAccount
from polyant.domain.secrets import SecretText

_DENIED = frozenset({401, 403, 404})
_SECONDS = 20.0


class _Me(User, frozen=True):
    can_read_all_group_messages: bool = False


class BotSetup:
    """Talks about a bot with the Bot API.

    Args:
        api: The Bot API.
    """

    def __init__(self, *, api: BotApi) -> None:
        self._api = api

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None) -> AccountState:
        """Returns the bot's state, after a change if one is given.

        Raises:
            ChannelRefusedError: Telegram refuses the token or the webhook.
            ChannelUnreachableError: Telegram doesn't respond.
        """
        try:
            return await self._check(account, change)
        except BotApiError as error:
            if error.code in _DENIED:
                raise ChannelRefusedError("Telegram refuses the token: enter the current one of @BotFather") from None
            raise ChannelRefusedError(f"Telegram refuses the setup ({error.code}): {error.description}") from None
        except CallFailedError:
            raise ChannelUnreachableError("Telegram") from None

    async def _check(self, account: ChannelAccount, change: SetUp | TearDown | None) -> AccountState:
        token = account.credentials["token"]
        me = await self._api.call(token, "getMe", {}, _Me, seconds=_SECONDS)
        if isinstance(change, SetUp) and change.webhook is not None:
            arguments = {
                "url": change.webhook,
                "secret_token": account.credentials["webhook_secret"].reveal(),
                "allowed_updates": ALLOWED_UPDATES,
            }
            await self._api.call(token, "setWebhook", arguments, msgspec.Raw, seconds=_SECONDS)
        elif isinstance(change, SetUp):
            await self._delete_webhook(token)
        info = await self._api.call(token, "getWebhookInfo", {}, WebhookInfo, seconds=_SECONDS)
        problems = await self._tear_down(token, info, change) if isinstance(change, TearDown) else _problems(info)
        return AccountState(account=str(me.id), name=f"@{me.username}", problems=tuple(problems))

    async def _tear_down(self, token: SecretText, info: WebhookInfo, change: TearDown) -> list[str]:
        if not info.url:
            return []
        if not change.ends(info.url):
            return [f"Telegram calls another webhook than that of this server, which stays: {info.url}"]
        await self._delete_webhook(token)
        return []

    async def _delete_webhook(self, token: SecretText) -> None:
        await self._api.call(token, "deleteWebhook", {}, msgspec.Raw, seconds=_SECONDS)


def _problems(info: WebhookInfo) -> list[str]:
    if not info.last_error_message or info.last_error_date is None:
        return []
    since = datetime.fromtimestamp(info.last_error_date, UTC)
    waiting = f", {info.pending_update_count} updates are waiting" if info.pending_update_count else ""
    return [
        f"Telegram's last call of the webhook failed at {since:%Y-%m-%d %H:%M} UTC: {info.last_error_message}{waiting}"
    ]
