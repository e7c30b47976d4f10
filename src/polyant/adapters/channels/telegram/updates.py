"""Updates of the Bot API as inbound events."""

from collections.abc import Iterator

import msgspec

from polyant.adapters.channels.telegram.wire import AnyUpdate, Entity, File, Message, Update, User, name_of
from polyant.domain.channel_events import ChannelUser, EventKind, InboundEvent, MediaKind, MediaReference, Peer, Quote

MAX_FILE_BYTES = 20 * 1024 * 1024
"""The largest file that getFile offers."""

_update_decoder = msgspec.json.Decoder(Update)
_any_update_decoder = msgspec.json.Decoder(AnyUpdate)

_FILES: tuple[tuple[str, MediaKind], ...] = (
    ("voice", MediaKind.VOICE),
    ("audio", MediaKind.AUDIO),
    ("animation", MediaKind.VIDEO),
    ("video", MediaKind.VIDEO),
    ("video_note", MediaKind.VIDEO),
    ("sticker", MediaKind.STICKER),
    ("document", MediaKind.DOCUMENT),
)
_OTHERS = ("contact", "location", "poll")


class Bot(msgspec.Struct, frozen=True):
    """The account that receives the updates."""

    id: str
    username: str


class NotAnUpdateError(Exception):
    """The JSON isn't an update."""


def read_update(text: bytes | msgspec.Raw, bot: Bot) -> tuple[int, InboundEvent | None]:
    """Returns the id of an update and its event; the event is None if it needs no answer.

    Raises:
        NotAnUpdateError: The JSON isn't an update.
    """
    try:
        update = _update_decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _unknown(text), None
    message = update.message or update.edited_message
    if message is None:
        return update.update_id, None
    return update.update_id, event_of(update, message, bot)


def _unknown(text: bytes | msgspec.Raw) -> int:
    """Returns the id of an update that can't be decoded: one strange update must not hold up the others."""
    try:
        return _any_update_decoder.decode(text).update_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotAnUpdateError from None


def event_of(update: Update, message: Message, bot: Bot) -> InboundEvent | None:
    """Returns the event of a message; None if it needs no answer."""
    peer = _peer_of(message)
    if message.migrate_to_chat_id is not None:
        return InboundEvent(
            id=str(update.update_id),
            peer=peer,
            kind=EventKind.MOVED,
            user=ChannelUser(id="0"),
            moved_to=Peer(str(message.migrate_to_chat_id), peer.thread),
        )
    sender = message.sender
    if sender is None or sender.is_bot:
        return None
    own_text, command, mentioned = _read_text(message, bot)
    media = tuple(_media_of(message))
    forwarded = message.forward_origin is not None
    if not (own_text or media or command or mentioned or forwarded):
        return None  # a service message, such as a new member
    private = message.chat.type == "private"
    is_reply = _is_from(message.reply_to_message, bot)
    return InboundEvent(
        id=str(update.update_id),
        peer=peer,
        position=message.message_id,
        kind=EventKind.MESSAGE if update.edited_message is None else EventKind.EDIT,
        user=ChannelUser(id=str(sender.id), name=name_of(sender), language=sender.language_code),
        private=private,
        addressed=private or mentioned or is_reply or command is not None,
        message_id=str(message.message_id),
        text="" if forwarded else own_text,
        command=None if forwarded else command,
        quote=_quote_of(message, bot),
        media=media,
        group=message.media_group_id,
        edited=None if update.edited_message is None else str(message.message_id),
    )


def _peer_of(message: Message) -> Peer:
    # In groups without topics, replies have a thread id, too.
    thread = str(message.message_thread_id) if message.is_topic_message and message.message_thread_id else None
    return Peer(str(message.chat.id), thread)


def _is_from(message: Message | None, bot: Bot) -> bool:
    return message is not None and message.sender is not None and str(message.sender.id) == bot.id


def _read_text(message: Message, bot: Bot) -> tuple[str, str | None, bool]:
    """Returns the text without command and mention, the command, and whether the bot is meant by its name."""
    text = message.text if message.text is not None else message.caption or ""
    entities = message.entities if message.text is not None else message.caption_entities
    units = text.encode("utf-16-le", "surrogatepass")
    command, mentioned, removed = None, False, []
    for entity in entities:
        piece = _cut(units, entity)
        if entity.type == "bot_command" and not units[: 2 * entity.offset].strip(b" \0\n") and command is None:
            name, at, target = piece.removeprefix("/").partition("@")
            if not at or target.lower() == bot.username.lower():
                command = name.lower()
                removed.append(entity)
        elif _mentions(entity, piece, bot):
            mentioned = True
            removed.append(entity)
    for entity in reversed(removed):
        start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
        units = units[:start] + units[end:]
    return units.decode("utf-16-le", "replace").strip(), command, mentioned


def _cut(units: bytes, entity: Entity) -> str:
    return units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le", "replace")


def _mentions(entity: Entity, piece: str, bot: Bot) -> bool:
    if entity.type == "mention":
        return piece.removeprefix("@").lower() == bot.username.lower()
    return entity.type == "text_mention" and entity.user is not None and str(entity.user.id) == bot.id


def _quote_of(message: Message, bot: Bot) -> Quote | None:
    if message.forward_origin is not None:
        text = message.text or message.caption or ""
        return Quote(text=text, author=message.forward_origin.name) if text else None
    replied = message.reply_to_message
    if replied is None:
        return None
    text = message.quote.text if message.quote is not None else replied.text or replied.caption or ""
    author: User | None = replied.sender
    if not text:
        return None
    return Quote(text=text, author="" if author is None else name_of(author), own=_is_from(replied, bot))


def _media_of(message: Message) -> Iterator[MediaReference]:
    if message.photo:
        yield _photo_of(message.photo)
    for field, kind in _FILES:
        file: File | None = getattr(message, field)
        if file is not None and not (field == "document" and message.animation is not None):
            yield MediaReference(
                id=file.file_id,
                kind=kind,
                file_name=file.file_name or file.emoji,
                media_type=file.mime_type,
                size=file.file_size,
            )
    for field in _OTHERS:
        if getattr(message, field) is not None:
            yield MediaReference(id="", kind=MediaKind.OTHER, file_name=field)


def _photo_of(sizes: tuple[File, ...]) -> MediaReference:
    """Returns the largest size that can be downloaded."""
    fitting = [size for size in sizes if (size.file_size or 0) <= MAX_FILE_BYTES] or list(sizes[:1])
    best = max(fitting, key=lambda size: size.file_size or 0)
    return MediaReference(id=best.file_id, kind=MediaKind.IMAGE, media_type="image/jpeg", size=best.file_size)
