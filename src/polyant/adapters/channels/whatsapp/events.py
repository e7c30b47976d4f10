"""Turns Meta's notifications into inbound events."""

import logging
import re
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from polyant.adapters.channels.whatsapp.wire import (
    Card,
    Choice,
    Contact,
    Content,
    Location,
    Media,
    Message,
    MessagesValue,
    Notification,
    Status,
)
from polyant.domain.channel_events import (
    ChannelUser,
    DeliveryStatus,
    EventKind,
    InboundBatch,
    InboundEvent,
    MediaKind,
    MediaReference,
    Peer,
    Quote,
    WebhookRefusedError,
)

T = TypeVar("T")

_log = logging.getLogger("polyant.channels")

_OBJECT = "whatsapp_business_account"
_STATUSES = frozenset({"sent", "delivered", "read", "failed"})
_UNANSWERED = frozenset({"reaction", "request_welcome", "revoke", "ephemeral"})
"""The types of messages that need no answer."""
_NEW_NUMBER = frozenset({"user_changed_number", "customer_changed_number"})
_TIMESTAMP = re.compile(r"\A\d{1,12}\Z", re.ASCII)
_COMMAND = re.compile(r"\A[/!](start|help|new)\b\s*", re.IGNORECASE)
_KINDS = {
    "image": MediaKind.IMAGE,
    "audio": MediaKind.AUDIO,
    "video": MediaKind.VIDEO,
    "document": MediaKind.DOCUMENT,
    "sticker": MediaKind.STICKER,
}
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_notification(body: bytes, phone_number_id: str) -> InboundBatch:
    """Returns the events of the phone number; those of other numbers are only counted.

    Raises:
        WebhookRefusedError: The body can't be understood.
    """
    try:
        notification = msgspec.json.decode(body, type=Notification)
    except _UNREADABLE:
        raise WebhookRefusedError(forged=False) from None
    if notification.object != _OBJECT:
        return InboundBatch(ignored=1)
    events: list[InboundEvent] = []
    ignored = 0
    for change in (change for entry in notification.entry for change in entry.changes):
        value = _decoded(change.value, MessagesValue) if change.field == "messages" else None
        found = [None] if value is None else list(_events(value, phone_number_id))
        events += [event for event in found if event is not None]
        ignored += found.count(None)
    return InboundBatch(events=tuple(events), ignored=ignored)


def _events(value: MessagesValue, phone_number_id: str) -> Iterator[InboundEvent | None]:
    """Yields each message and status as an event; None for those that need no answer."""
    mine = value.metadata.phone_number_id == phone_number_id
    for raw in value.messages or ():
        message = _decoded(raw, Message) if mine else None
        yield None if message is None else _message_event(message, value.contacts or ())
    for raw in value.statuses or ():
        status = _decoded(raw, Status) if mine else None
        yield None if status is None else _status_event(status)


def _decoded(raw: msgspec.Raw, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(raw, type=kind)
    except _UNREADABLE:
        _log.warning("a part of a notification of WhatsApp can't be understood and is ignored")
        return None


def _message_event(message: Message, contacts: tuple[Contact, ...]) -> InboundEvent | None:
    sender = message.sender or message.from_user_id
    if not sender or message.group_id or message.type in _UNANSWERED or not _TIMESTAMP.match(message.timestamp):
        return None
    event = InboundEvent(
        id=message.id,
        peer=Peer(sender),
        position=int(message.timestamp),
        user=ChannelUser(id=sender, name=_name_of(sender, contacts)),
        message_id=message.id,
    )
    if message.type == "system":
        return _moved(event, message)
    if message.edit is not None:
        text = _text_of(message.edit.message)
        return msgspec.structs.replace(event, kind=EventKind.EDIT, edited=message.edit.original_message_id, text=text)
    return _with_content(event, message)


def _name_of(sender: str, contacts: tuple[Contact, ...]) -> str:
    names = (contact.profile.name for contact in contacts if sender in {contact.wa_id, contact.user_id})
    return next((name for name in names if name), "")


def _moved(event: InboundEvent, message: Message) -> InboundEvent | None:
    system = message.system
    number = None if system is None or system.type not in _NEW_NUMBER else system.wa_id or system.new_wa_id
    if not number or number == event.peer.chat:
        return None
    return msgspec.structs.replace(event, kind=EventKind.MOVED, moved_to=Peer(number))


def _with_content(event: InboundEvent, content: Content) -> InboundEvent:
    text = _text_of(content)
    command = _COMMAND.match(text)
    quote = _quote(content)
    media = tuple(_media(content))
    if not text and quote is None and not media:  # the user gets an answer also to what can't be read
        media = (MediaReference(id="", kind=MediaKind.OTHER),)
    return msgspec.structs.replace(
        event,
        text=text[command.end() :] if command else text,
        command=command[1].lower() if command else None,
        quote=quote,
        media=media,
    )


def _text_of(content: Content) -> str:
    texts: list[str | None] = [content.text.body if content.text else None]
    texts += [each.caption for each in (content.image, content.video, content.document) if each]
    texts += [each.title or each.text for each in _choices(content) if each]
    return "\n".join(text.strip() for text in texts if text).strip()


def _choices(content: Content) -> Iterator[Choice | None]:
    yield content.button
    if content.interactive is not None:
        yield content.interactive.button_reply
        yield content.interactive.list_reply


def _quote(content: Content) -> Quote | None:
    """Returns a place or contact cards, which others may have written, as untrusted text."""
    lines = [_place(content.location)] if content.location else []
    lines += [_card(card) for card in content.contacts or ()]
    return Quote(text="\n".join(lines)) if lines else None


def _place(location: Location) -> str:
    parts = (location.name, location.address, location.latitude, location.longitude)
    return f"Location: {', '.join(str(part) for part in parts if part is not None)}"


def _card(card: Card) -> str:
    phones = (phone.phone for phone in card.phones or ())
    return f"Contact: {', '.join(part for part in (card.name.formatted_name, *phones) if part)}"


def _media(content: Content) -> Iterator[MediaReference]:
    for name, kind in _KINDS.items():
        media: Media | None = getattr(content, name)
        if media is not None:
            yield MediaReference(
                id=media.id,
                kind=MediaKind.VOICE if media.voice else kind,
                file_name=media.filename,
                media_type=media.mime_type,
            )


def _status_event(status: Status) -> InboundEvent | None:
    recipient = status.recipient_id or status.recipient_user_id
    if not recipient or status.status not in _STATUSES:
        return None
    code = next((error.code for error in status.errors or () if error.code is not None), None)
    return InboundEvent(
        id=f"{status.id}:{status.status}",
        peer=Peer(recipient),
        kind=EventKind.STATUS,
        user=ChannelUser(id=recipient),
        status=DeliveryStatus(platform_id=status.id, status=status.status, code=None if code is None else str(code)),
    )
