"""Long polling of a bot's updates."""

import msgspec

from polyant.adapters.channels.platform_http import CallFailedError
from polyant.adapters.channels.telegram.bot_api import BotApi, BotApiError
from polyant.adapters.channels.telegram.updates import Bot, NotAnUpdateError, read_update
from polyant.domain.channel_events import InboundBatch
from polyant.domain.channel_info import ChannelRefusedError, ChannelUnreachableError, PullConflictError
from polyant.domain.ports.channel import EventSource
from polyant.domain.secrets import SecretText

ALLOWED_UPDATES = ("message", "edited_message")
_CONFLICT = 409
_DENIED = frozenset({401, 403, 404})
_MARGIN_SECONDS = 10.0


class UpdateSource(EventSource):
    """Reads updates with getUpdates, whose offset acknowledges those before it.

    Telegram stores the offset, so that no server has to: a new source gets everything that wasn't acknowledged.

    Args:
        api: The Bot API.
        token: The bot's token.
        bot: The bot.
    """

    def __init__(self, *, api: BotApi, token: SecretText, bot: Bot) -> None:
        self._api = api
        self._token = token
        self._bot = bot
        self._offset: int | None = None

    async def receive(self, seconds: float) -> InboundBatch:
        wait = max(0, int(seconds))
        arguments = {"offset": self._offset, "timeout": wait, "limit": 100, "allowed_updates": ALLOWED_UPDATES}
        try:
            updates = await self._api.call(
                self._token, "getUpdates", arguments, list[msgspec.Raw], seconds=wait + _MARGIN_SECONDS
            )
        except BotApiError as error:
            raise _translated(error) from None
        except CallFailedError:
            raise ChannelUnreachableError("Telegram") from None
        return self._batch_of(updates)

    def _batch_of(self, updates: list[msgspec.Raw]) -> InboundBatch:
        events = []
        for update in updates:
            try:
                number, event = read_update(update, self._bot)
            except NotAnUpdateError:
                raise ChannelUnreachableError("Telegram") from None
            self._offset = max(self._offset or 0, number + 1)
            if event is not None:
                events.append(event)
        return InboundBatch(events=tuple(events), ignored=len(updates) - len(events))


def _translated(error: BotApiError) -> Exception:
    if error.code == _CONFLICT:
        return PullConflictError()
    if error.code in _DENIED:
        return ChannelRefusedError("Telegram refuses the token: enter the current one of @BotFather")
    unreachable = ChannelUnreachableError("Telegram")
    unreachable.retry_after = int(error.retry_after)
    return unreachable
