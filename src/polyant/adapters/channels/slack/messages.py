"""Posts, updates and removes messages, with formatting or without."""

import contextlib
from collections.abc import Mapping
from typing import Any

from polyant.adapters.channels.platform_http import CallFailedError
from polyant.adapters.channels.slack.api import SlackApi, SlackReply
from polyant.adapters.channels.slack.text import escaped, without_notifications
from polyant.domain.channel_events import Peer
from polyant.domain.channel_sends import Ambiguous, Chunk, NotSent, SendOutcome, Sent

MAX_MARKDOWN_CHARACTERS = 12_000
UNKNOWN_DRAFT = "-"
"""The draft of an answer whose first draft may or may not have been posted: no other draft follows."""

_MAX_CHARACTERS = 40_000
_SECONDS = 8.0
_RETRY_SECONDS = 1.0
_REFUSED_FORMATTING = frozenset(
    {
        "invalid_arguments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_markdown_text",
        "markdown_text_conflict",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
    }
)
_PLAIN: Mapping[str, Mapping[str, bool]] = {"chat.postMessage": {"mrkdwn": False}, "chat.update": {}}
"""The further arguments that keep a text from being formatted."""
_NO_UPDATE = frozenset(
    {"cant_update_message", "edit_window_closed", "message_not_found", "msg_too_long", "update_failed"}
)
"""The codes after which the text has to be posted as a new message: the draft is gone or can't take the text."""


class SlackMessages:
    """Sends the texts of an account.

    Args:
        api: The Web API.
    """

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    async def send(self, token: str, chunk: Chunk) -> SendOutcome:
        """Returns the outcome of sending the chunk, in place of its draft if there is one."""
        if chunk.replaces not in {None, UNKNOWN_DRAFT}:
            outcome = await self._replace(token, chunk)
            if outcome is not None:
                return outcome
        try:
            reply = await self._post(token, chunk.peer, chunk.text)
        except CallFailedError as error:
            return Ambiguous("no response") if error.may_have_arrived else NotSent(_RETRY_SECONDS)
        return reply.outcome

    async def _replace(self, token: str, chunk: Chunk) -> SendOutcome | None:
        """Returns the outcome of updating the draft; None if it can't be updated, so that the text has to be posted."""
        try:
            reply = await self._write("chat.update", token, chunk.text, channel=chunk.peer.chat, ts=chunk.replaces)
        except CallFailedError:
            return NotSent(_RETRY_SECONDS)  # an update can be repeated
        if reply.code in _NO_UPDATE:
            await self._remove(token, chunk)
            return None
        match reply.outcome:
            case Ambiguous():
                return NotSent(_RETRY_SECONDS)
            case Sent():
                return Sent(chunk.replaces or "")
            case outcome:
                return outcome

    async def show(self, token: str, peer: Peer, text: str, *, draft: str | None) -> SlackReply:
        """Posts the text so far, or updates the draft with it.

        Raises:
            CallFailedError: There is no response.
        """
        if draft is None:
            return await self._post(token, peer, text)
        return await self._write("chat.update", token, text, channel=peer.chat, ts=draft)

    async def _post(self, token: str, peer: Peer, text: str) -> SlackReply:
        return await self._write(
            "chat.postMessage",
            token,
            text,
            channel=peer.chat,
            thread_ts=peer.thread,
            unfurl_links=False,
            unfurl_media=False,
        )

    async def _write(self, method: str, token: str, text: str, **target: Any) -> SlackReply:
        markdown = without_notifications(text)
        if len(markdown) <= MAX_MARKDOWN_CHARACTERS:
            reply = await self._api.call(method, token, seconds=_SECONDS, markdown_text=markdown, **target)
            if reply.code not in _REFUSED_FORMATTING:
                return reply
        plain = {"text": _plain(text), "parse": "none", **_PLAIN[method]}
        return await self._api.call(method, token, seconds=_SECONDS, **plain, **target)

    async def _remove(self, token: str, chunk: Chunk) -> None:
        with contextlib.suppress(CallFailedError):  # the draft stays, and the whole text follows
            await self._api.call("chat.delete", token, seconds=2.0, channel=chunk.peer.chat, ts=chunk.replaces)


def _plain(text: str) -> str:
    """Returns the text so that Slack shows it as it is, unless that is too long for Slack, which would cut it."""
    shown = escaped(text)
    return shown if len(shown) <= _MAX_CHARACTERS else without_notifications(text)


def draft_after(reply: SlackReply, draft: str | None) -> str | None:
    """Returns the draft of an answer after a call of `SlackMessages.show`."""
    match reply.outcome:
        case Sent(ts):
            return ts or draft
        case Ambiguous():
            return draft or UNKNOWN_DRAFT
    return draft
