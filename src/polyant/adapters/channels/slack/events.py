"""Turns Slack's events into inbound events."""

import logging
import re

import msgspec

from polyant.adapters.channels.slack.text import mentions, readable, split_command
from polyant.adapters.channels.slack.wire import Attachment, Authorization, Callback, EventHead, File, MessageEvent
from polyant.domain.channel_events import (
    ChannelUser,
    InboundBatch,
    InboundEvent,
    MediaKind,
    MediaReference,
    Peer,
    Quote,
    WebhookRefusedError,
    WebhookReply,
)

_log = logging.getLogger("polyant.channels")

_KINDS = frozenset({"message", "app_mention"})
_SUBTYPES = frozenset({None, "file_share", "thread_broadcast", "me_message"})
"""The subtypes of messages that a user wrote; the others are edits, deletions, and notices of Slack."""
_SLACKBOT = "USLACKBOT"
_TS = re.compile(r"\A(\d{1,12})\.(\d{6})\Z", re.ASCII)
_IGNORED = InboundBatch(ignored=1)


class SlackAccount(msgspec.Struct, frozen=True):
    """The installation of an app in a workspace."""

    team: str
    user: str
    """The id of the app's bot user."""

    @property
    def text(self) -> str:
        """The form that is stored; `parse` reads it."""
        return f"{self.team}:{self.user}"

    @classmethod
    def parse(cls, text: str) -> "SlackAccount":
        """Returns the account with that `text`."""
        team, _, user = text.partition(":")
        return cls(team, user)


def read_callback(body: bytes | msgspec.Raw, account: SlackAccount) -> InboundBatch:
    """Returns the event of a callback, or the response to Slack's verification of the webhook.

    Raises:
        WebhookRefusedError: The callback can't be understood.
    """
    try:
        callback = msgspec.json.decode(body, type=Callback)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WebhookRefusedError(forged=False) from None
    if callback.type == "url_verification" and callback.challenge is not None:
        return InboundBatch(reply=WebhookReply(body=callback.challenge.encode()))
    if callback.type != "event_callback" or not _concerns(callback, account):
        return _IGNORED
    message = _message_of(callback.event)
    event = None if message is None else _inbound(message, callback, account)
    return _IGNORED if event is None else InboundBatch(events=(event,))


def _concerns(callback: Callback, account: SlackAccount) -> bool:
    if callback.authorizations:
        return any(_is_of(authorization, account) for authorization in callback.authorizations)
    return callback.team_id == account.team


def _is_of(authorization: Authorization, account: SlackAccount) -> bool:
    if authorization.is_bot is False:  # somebody who installed the app, instead of its bot user
        return authorization.team_id == account.team
    return authorization.user_id == account.user


def _message_of(raw: msgspec.Raw) -> MessageEvent | None:
    """Returns the message that a user wrote, or None for any other event."""
    try:
        if msgspec.json.decode(raw, type=EventHead).type not in _KINDS:
            return None
        message = msgspec.json.decode(raw, type=MessageEvent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _log.warning("an event of Slack can't be understood and is ignored")
        return None
    by_user = message.user not in {None, _SLACKBOT} and not message.bot_id and not message.hidden
    return message if by_user and message.subtype in _SUBTYPES else None


def _inbound(message: MessageEvent, callback: Callback, account: SlackAccount) -> InboundEvent | None:
    text = message.text or ""
    private = message.channel_type == "im" or message.channel.startswith("D")
    is_meant = (
        private
        or message.type == "app_mention"
        or mentions(text, account.user)
        or message.parent_user_id == account.user
    )
    position = _position(message.ts)
    if not is_meant or position is None or message.user in {None, account.user}:
        return None
    command, own_text = split_command(readable(text, without=account.user))
    return InboundEvent(
        id=f"{account.team}:{message.channel}:{message.ts}",
        peer=Peer(message.channel, message.thread_ts or (None if private else message.ts)),
        position=position,
        user=_user(message, callback, account),
        private=private,
        message_id=message.ts,
        text=own_text,
        command=command,
        quote=next((_quote(each, account) for each in message.attachments or () if _is_message(each)), None),
        media=tuple(_media(file) for file in message.files or ()),
    )


def _position(ts: str) -> int | None:
    found = _TS.match(ts)
    return int(found[1] + found[2]) if found else None


def _user(message: MessageEvent, callback: Callback, account: SlackAccount) -> ChannelUser:
    profile = message.user_profile
    return ChannelUser(
        id=message.user or "",
        name=(profile.display_name or profile.real_name or "") if profile else "",
        workspace=_is_member(message, callback, account),
    )


def _is_member(message: MessageEvent, callback: Callback, account: SlackAccount) -> bool:
    team = message.user_team or message.source_team or message.team
    if team:
        return team in {account.team, callback.enterprise_id}
    # Slack leaves the author's workspace out of messages with files.
    return not callback.is_ext_shared_channel and callback.team_id == account.team


def _is_message(attachment: Attachment) -> bool:
    return bool((attachment.is_share or attachment.is_msg_unfurl) and attachment.text)


def _quote(attachment: Attachment, account: SlackAccount) -> Quote:
    own = attachment.author_id == account.user
    return Quote(
        text=readable(attachment.text or "", without=""),
        author="" if own else attachment.author_name or "",
        own=own,
    )


def _media(file: File) -> MediaReference:
    return MediaReference(
        id=file.id, kind=_kind(file), file_name=file.name, media_type=file.mimetype or None, size=file.size
    )


def _kind(file: File) -> MediaKind:
    match file.subtype, (file.mimetype or "").partition("/")[0]:
        case "slack_audio", _:
            return MediaKind.VOICE
        case _, "image":
            return MediaKind.IMAGE
        case _, "audio":
            return MediaKind.AUDIO
        case ("slack_video", _) | (_, "video"):
            return MediaKind.VIDEO
    return MediaKind.DOCUMENT
