from typing import Any

import msgspec
import pytest

from polyant.adapters.channels.telegram.updates import Bot, NotAnUpdateError, read_update
from polyant.domain.channel_events import EventKind, InboundEvent, MediaKind, Peer
from support.scripted_telegram import BOT_ID, BOT_NAME, USER, ScriptedTelegram, units

BOT = Bot(str(BOT_ID), BOT_NAME)
GROUP = {"id": -1001, "type": "supergroup", "title": "Team"}
OWN = {"id": BOT_ID, "is_bot": True, "first_name": "Demo", "username": BOT_NAME}
BASE = {"message_id": 1, "chat": GROUP, "date": 1}


def read(kind: str = "message", **fields: Any) -> InboundEvent | None:
    update = ScriptedTelegram().update(kind=kind, **fields)
    number, event = read_update(msgspec.json.encode(update), BOT)
    assert number == update["update_id"]
    return event


def event_of(kind: str = "message", **fields: Any) -> InboundEvent:
    event = read(kind, **fields)
    assert event is not None
    return event


def entity(text: str, piece: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "offset": units(text[: text.index(piece)]), "length": units(piece), **fields}


def test_private_message_is_addressed() -> None:
    event = event_of(text="hello")
    assert (event.peer, event.private, event.addressed) == (Peer("4711"), True, True)
    assert (event.user.id, event.user.name, event.user.language) == ("4711", "Ada Lovelace", "en")
    assert event.position == int(event.message_id)


def test_group_message_is_not_addressed_without_a_reason() -> None:
    event = event_of(text="hello all", chat=GROUP)
    assert not event.private
    assert not event.addressed


@pytest.mark.parametrize("text", ["🙂 @Demo_Bot what is up?", "what 👩‍💻 is up, @demo_bot"])
def test_mention_addresses_the_bot_and_is_removed(text: str) -> None:
    piece = "@Demo_Bot" if "@Demo_Bot" in text else "@demo_bot"
    event = event_of(text=text, chat=GROUP, entities=[entity(text, piece, "mention")])
    assert event.addressed
    assert event.text == text.replace(piece, "").strip()


def test_mention_by_user_addresses_the_bot() -> None:
    text = "Demo, hi"
    event = event_of(text=text, chat=GROUP, entities=[entity(text, "Demo", "text_mention", user=OWN)])
    assert event.addressed


def test_mention_of_others_is_kept() -> None:
    text = "@someone_else hi"
    event = event_of(text=text, chat=GROUP, entities=[entity(text, "@someone_else", "mention")])
    assert (event.addressed, event.text) == (False, text)


def test_mention_without_text_is_an_event() -> None:
    text = f"@{BOT_NAME}"
    assert event_of(text=text, chat=GROUP, entities=[entity(text, text, "mention")]).addressed


def test_caption_can_mention_the_bot() -> None:
    caption = f"@{BOT_NAME} look"
    event = event_of(
        caption=caption,
        caption_entities=[entity(caption, f"@{BOT_NAME}", "mention")],
        photo=[{"file_id": "a", "file_size": 5}],
        chat=GROUP,
    )
    assert (event.addressed, event.text, event.media[0].kind) == (True, "look", MediaKind.IMAGE)


def test_reply_to_the_bot_addresses_it_and_quotes_it() -> None:
    event = event_of(text="why?", chat=GROUP, reply_to_message={**BASE, "from": OWN, "text": "because"})
    assert event.addressed
    assert event.quote is not None
    assert (event.quote.text, event.quote.own) == ("because", True)


def test_reply_to_others_is_not_addressed() -> None:
    event = event_of(text="why?", chat=GROUP, reply_to_message={**BASE, "from": USER, "text": "because"})
    assert not event.addressed
    assert event.quote is not None
    assert (event.quote.author, event.quote.own) == ("Ada Lovelace", False)


def test_quoted_part_takes_precedence() -> None:
    replied = {**BASE, "from": USER, "text": "one two three"}
    event = event_of(text="why?", reply_to_message=replied, quote={"text": "two", "position": 4})
    assert event.quote is not None
    assert event.quote.text == "two"


@pytest.mark.parametrize(
    ("text", "length", "command", "rest"),
    [
        ("/start", 6, "start", ""),
        ("/NEW", 4, "new", ""),
        ("/start payload", 6, "start", "payload"),
        (f"/help@{BOT_NAME}", 5 + 1 + len(BOT_NAME), "help", ""),
    ],
)
def test_command_addresses_the_bot(text: str, length: int, command: str, rest: str) -> None:
    entities = [{"type": "bot_command", "offset": 0, "length": length}]
    event = event_of(text=text, chat=GROUP, entities=entities)
    assert (event.addressed, event.command, event.text) == (True, command, rest)


def test_command_of_another_bot_is_not_addressed() -> None:
    event = event_of(text="/new@other_bot", chat=GROUP, entities=[{"type": "bot_command", "offset": 0, "length": 14}])
    assert (event.addressed, event.command) == (False, None)


def test_command_in_the_middle_is_text() -> None:
    event = event_of(text="use /new", entities=[{"type": "bot_command", "offset": 4, "length": 4}])
    assert (event.command, event.text) == (None, "use /new")


def test_edited_message_names_the_message() -> None:
    event = event_of("edited_message", text="fixed", message_id=77)
    assert (event.kind, event.edited, event.text) == (EventKind.EDIT, "77", "fixed")


def test_topic_is_part_of_the_peer() -> None:
    assert event_of(text="a", chat=GROUP, message_thread_id=7, is_topic_message=True).peer == Peer("-1001", "7")
    assert event_of(text="a", chat=GROUP, message_thread_id=7).peer == Peer("-1001")


def test_group_that_becomes_a_supergroup_moves() -> None:
    event = event_of(chat={"id": -5, "type": "group"}, migrate_to_chat_id=-1005)
    assert (event.kind, event.peer, event.moved_to) == (EventKind.MOVED, Peer("-5"), Peer("-1005"))


def test_album_shares_its_group() -> None:
    events = [event_of(photo=[{"file_id": "a"}], media_group_id="13") for _ in range(2)]
    assert {event.group for event in events} == {"13"}


def test_largest_photo_within_the_limit_is_taken() -> None:
    sizes = [{"file_id": str(size), "file_size": size} for size in (10, 20_000_000, 30_000_000)]
    assert event_of(photo=sizes).media[0].id == "20000000"
    assert event_of(photo=sizes[2:]).media[0].id == "30000000"
    assert event_of(photo=[{"file_id": "x"}]).media[0].id == "x"


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("voice", MediaKind.VOICE),
        ("audio", MediaKind.AUDIO),
        ("document", MediaKind.DOCUMENT),
        ("video", MediaKind.VIDEO),
        ("video_note", MediaKind.VIDEO),
        ("sticker", MediaKind.STICKER),
    ],
)
def test_media_have_their_kind(field: str, kind: MediaKind) -> None:
    fields: dict[str, Any] = {field: {"file_id": "f", "file_size": 3, "mime_type": "a/b", "file_name": "n"}}
    media = event_of(**fields).media
    assert [(each.kind, each.id, each.size, each.media_type, each.file_name) for each in media] == [
        (kind, "f", 3, "a/b", "n")
    ]


def test_animation_is_one_video() -> None:
    file = {"file_id": "f"}
    assert [each.kind for each in event_of(animation=file, document=file).media] == [MediaKind.VIDEO]


@pytest.mark.parametrize("field", ["contact", "location", "poll"])
def test_other_content_is_an_attachment(field: str) -> None:
    fields: dict[str, Any] = {field: {"id": "1"}}
    assert [each.kind for each in event_of(**fields).media] == [MediaKind.OTHER]


@pytest.mark.parametrize(
    "origin",
    [
        {"type": "user", "sender_user": {"id": 5, "first_name": "Eve"}},
        {"type": "hidden_user", "sender_user_name": "Eve"},
        {"type": "channel", "chat": {"id": -9, "type": "channel", "title": "Eve"}},
    ],
)
def test_forwarded_text_is_a_quote(origin: dict[str, Any]) -> None:
    text = "/new obey"
    entities = [{"type": "bot_command", "offset": 0, "length": 4}]
    event = event_of(text=text, entities=entities, forward_origin={**origin, "date": 1})
    assert (event.text, event.command) == ("", None)
    assert event.quote is not None
    assert (event.quote.text, event.quote.author) == (text, "Eve")


@pytest.mark.parametrize(
    "fields",
    [
        {"new_chat_members": [USER]},
        {"text": "hi", "from": OWN},
        {"text": "hi", "from": {"id": 9, "is_bot": True}},
        {"text": "hi", "from": None},
        {"text": "  "},
    ],
)
def test_messages_that_need_no_answer_are_ignored(fields: dict[str, Any]) -> None:
    assert read(**fields) is None


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 5},
        {"update_id": 5, "poll_answer": {}},
        {"update_id": 5, "message": {"message_id": "x"}},
        {"update_id": 5, "message": 7, "unknown": [1]},
    ],
)
def test_strange_update_is_ignored(update: dict[str, Any]) -> None:
    assert read_update(msgspec.json.encode(update), BOT) == (5, None)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"update_id": "5"}', b"\xff", b"[" * 100_000])
def test_what_is_no_update_is_refused(text: bytes) -> None:
    with pytest.raises(NotAnUpdateError):
        read_update(text, BOT)


def test_entities_with_impossible_offsets_do_no_harm() -> None:
    entities = [{"type": "mention", "offset": 400, "length": 9}, {"type": "bot_command", "offset": 0, "length": 99}]
    assert event_of(text="/new", entities=entities).command == "new"
