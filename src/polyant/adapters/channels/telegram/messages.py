"""Sends messages, drafts and the typing indicator."""

from collections.abc import Mapping
from typing import Any

import msgspec

from polyant.adapters.channels.platform_http import CallFailedError
from polyant.adapters.channels.telegram.bot_api import BotApi, BotApiError
from polyant.adapters.channels.telegram.formatting import FormattedText, cut, format_text
from polyant.adapters.channels.telegram.wire import SentMessage
from polyant.domain.channel_events import Peer
from polyant.domain.channel_sends import Ambiguous, Chunk, Moved, NotSent, Progress, Refused, SendOutcome, Sent
from polyant.domain.secrets import SecretText

_GENERAL_TOPIC = "1"
_BAD_REQUEST = 400
_TOO_MANY = 429
_DENIED = frozenset({401, 404})
"""The codes for a revoked token, and for one that never existed."""
_SEND_SECONDS = 9.0
"""Two attempts, with and without formatting, take less than `ChannelInfo.send_seconds`."""
_PROGRESS_SECONDS = 5.0


class Messages:
    """Sends to chats.

    Args:
        api: The Bot API.
    """

    def __init__(self, *, api: BotApi) -> None:
        self._api = api

    async def send(self, token: SecretText, chunk: Chunk) -> SendOutcome:
        """Sends a text, without formatting if Telegram refuses the formatting; replaces the draft if there is one."""
        formatted = format_text(chunk.text)
        if chunk.replaces is not None:
            outcome = await self._replace(token, chunk, formatted)
            if outcome is not None:
                return outcome
        try:
            return await self._send(token, chunk, formatted)
        except BotApiError as error:
            if error.code != _BAD_REQUEST or error.parameters.migrate_to_chat_id or not formatted.entities:
                return _outcome_of(error, chunk.peer)
        try:
            return await self._send(token, chunk, FormattedText(chunk.text))
        except BotApiError as error:
            return _outcome_of(error, chunk.peer)

    async def show_progress(self, token: SecretText, progress: Progress) -> str | None:
        """Shows the typing indicator or a draft, and returns the message to replace, if there is one."""
        try:
            if not progress.text:
                await self._call(token, "sendChatAction", _typing(progress.peer))
            elif progress.private:
                await self._call(token, "sendMessageDraft", _draft(progress))
            else:
                return await self._edit_draft(token, progress)
        except (BotApiError, CallFailedError):
            pass  # it is only an announcement
        return progress.draft

    async def _send(self, token: SecretText, chunk: Chunk, formatted: FormattedText) -> SendOutcome:
        arguments = {**_target(chunk.peer), **_body(formatted), **_reply_to(chunk.reply_to)}
        try:
            sent = await self._api.call(token, "sendMessage", arguments, SentMessage, seconds=_SEND_SECONDS)
        except CallFailedError as error:
            return Ambiguous("no response") if error.may_have_arrived else NotSent(1.0)
        return Sent(str(sent.message_id))

    async def _replace(self, token: SecretText, chunk: Chunk, formatted: FormattedText) -> SendOutcome | None:
        """Returns the outcome of editing the draft; None if it can't be edited, so that the text has to be sent."""
        arguments = {"chat_id": chunk.peer.chat, "message_id": int(chunk.replaces or 0)}
        for text in (formatted, FormattedText(chunk.text)):
            try:
                await self._call(token, "editMessageText", {**arguments, **_body(text)})
            except CallFailedError:
                return NotSent(1.0)  # an edit can be repeated
            except BotApiError as error:
                if error.code == _TOO_MANY:
                    return NotSent(error.retry_after)
                if "not modified" not in error.description:
                    continue
            return Sent(str(chunk.replaces))
        return None

    async def _edit_draft(self, token: SecretText, progress: Progress) -> str:
        text = _body(FormattedText(cut(progress.text)))
        if progress.draft is None:
            arguments = {**_target(progress.peer), **text, **_reply_to(progress.message_id or None)}
            quiet = {"disable_notification": True}
            sent = await self._api.call(
                token, "sendMessage", {**arguments, **quiet}, SentMessage, seconds=_PROGRESS_SECONDS
            )
            return str(sent.message_id)
        target = {"chat_id": progress.peer.chat, "message_id": int(progress.draft)}
        await self._call(token, "editMessageText", {**target, **text})
        return progress.draft

    async def _call(self, token: SecretText, method: str, arguments: Mapping[str, Any]) -> None:
        await self._api.call(token, method, arguments, msgspec.Raw, seconds=_PROGRESS_SECONDS)


def _target(peer: Peer) -> dict[str, Any]:
    # Telegram refuses the id of the general topic when sending, but wants it for the typing indicator.
    thread = peer.thread if peer.thread != _GENERAL_TOPIC else None
    return {"chat_id": peer.chat, "message_thread_id": None if thread is None else int(thread)}


def _typing(peer: Peer) -> dict[str, Any]:
    thread = None if peer.thread is None else int(peer.thread)
    return {"chat_id": peer.chat, "message_thread_id": thread, "action": "typing"}


def _draft(progress: Progress) -> dict[str, Any]:
    number = int(progress.message_id) if progress.message_id.isdecimal() else 1
    return {**_target(progress.peer), "draft_id": number or 1, "text": cut(progress.text)}


def _body(formatted: FormattedText) -> dict[str, Any]:
    return {
        "text": formatted.text,
        "entities": formatted.entities or None,
        "link_preview_options": {"is_disabled": True},
    }


def _reply_to(message_id: str | None) -> dict[str, Any]:
    if message_id is None or not message_id.isdecimal():
        return {}
    return {"reply_parameters": {"message_id": int(message_id), "allow_sending_without_reply": True}}


def _outcome_of(error: BotApiError, peer: Peer) -> SendOutcome:
    if error.parameters.migrate_to_chat_id is not None:
        return Moved(Peer(str(error.parameters.migrate_to_chat_id), peer.thread))
    if error.code == _TOO_MANY:
        return NotSent(error.retry_after)
    return Refused(str(error.code), credentials=error.code in _DENIED)
