"""Shows that a turn runs: a status or a reaction, and a message with the text so far."""

from polyant.adapters.channels.platform_http import CallFailedError
from polyant.adapters.channels.slack.api import SlackApi, SlackReply
from polyant.adapters.channels.slack.messages import (
    MAX_MARKDOWN_CHARACTERS,
    UNKNOWN_DRAFT,
    SlackMessages,
    draft_after,
)
from polyant.domain.channel_sends import Progress
from polyant.domain.ports.clock import Clock

_SECONDS = 5.0
_STATUS = "is thinking…"
_REACTION = "eyes"
_DEFAULT_PAUSE = 1.0


class SlackProgress:
    """Shows the progress of answers, and pauses for an account while Slack limits its calls.

    Args:
        api: The Web API.
        messages: Posts and updates drafts.
        clock: Measures the pauses.
    """

    def __init__(self, *, api: SlackApi, messages: SlackMessages, clock: Clock) -> None:
        self._api = api
        self._messages = messages
        self._clock = clock
        self._paused: dict[str, float] = {}

    async def show(self, account: str, token: str, progress: Progress) -> str | None:
        """Returns the message with the text so far, which the first chunk has to replace."""
        if progress.draft == UNKNOWN_DRAFT or self._is_paused(account):
            return progress.draft
        try:
            if progress.text:
                return await self._show_text(account, token, progress)
            if progress.draft is None:
                self._heed(account, await self._show_work(token, progress))
        except CallFailedError as error:
            if progress.text and progress.draft is None and error.may_have_arrived:
                return UNKNOWN_DRAFT
        return progress.draft

    async def _show_text(self, account: str, token: str, progress: Progress) -> str | None:
        reply = await self._messages.show(
            token,
            progress.peer,
            progress.text[:MAX_MARKDOWN_CHARACTERS],
            draft=progress.draft,
        )
        self._heed(account, reply)
        return draft_after(reply, progress.draft)

    async def _show_work(self, token: str, progress: Progress) -> SlackReply:
        peer = progress.peer
        if peer.thread is not None:
            return await self._api.call(
                "assistant.threads.setStatus",
                token,
                seconds=_SECONDS,
                channel_id=peer.chat,
                thread_ts=peer.thread,
                status=_STATUS,
            )
        # A status needs a thread.
        return await self._api.call(
            "reactions.add", token, seconds=_SECONDS, channel=peer.chat, timestamp=progress.message_id, name=_REACTION
        )

    def _is_paused(self, account: str) -> bool:
        until = self._paused.get(account)
        if until is not None and until <= self._clock.monotonic():
            del self._paused[account]
            until = None
        return until is not None

    def _heed(self, account: str, reply: SlackReply) -> None:
        if reply.is_limited:
            self._paused[account] = self._clock.monotonic() + (reply.retry_after or _DEFAULT_PAUSE)
