"""Requests of Meta's webhook."""

from typing import Any

import msgspec
import pytest

from polyant.adapters.channels.whatsapp.channel import WhatsAppChannel
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
    WebhookRequest,
)
from polyant.domain.channels import ChannelAccount
from support.whatsapp_events import (
    LATE,
    OTHER_NUMBER,
    USER,
    message,
    notification,
    signed,
    status,
    text,
    value,
    verification,
)

HIDDEN_NUMBER: dict[str, Any] = {"from": None}


class Receiver:
    """Passes messages to the channel."""

    def __init__(self, channel: WhatsAppChannel, account: ChannelAccount) -> None:
        self._channel = channel
        self._account = account

    def batch(self, *values: dict[str, Any]) -> InboundBatch:
        return self._channel.receive(self._account, signed(notification(*values)))

    def only(self, content: dict[str, Any]) -> InboundEvent:
        (event,) = self.batch(value(content)).events
        return event


@pytest.fixture
def receiver(channel: WhatsAppChannel, account: ChannelAccount) -> Receiver:
    return Receiver(channel, account)


def refusal(channel: WhatsAppChannel, account: ChannelAccount, request: WebhookRequest) -> WebhookRefusedError:
    with pytest.raises(WebhookRefusedError) as error:
        channel.receive(account, request)
    return error.value


def test_verification_echoes_the_challenge(channel: WhatsAppChannel, account: ChannelAccount) -> None:
    batch = channel.receive(account, verification())
    assert (batch.events, batch.reply.status, batch.reply.body) == ((), 200, b"1158201444")
    assert batch.reply.media_type.startswith("text/plain")


@pytest.mark.parametrize("token", ["", "hidden", "hidden-verify-tokens", "é", "\ud800"])
def test_verification_with_another_token_is_forged(
    channel: WhatsAppChannel, account: ChannelAccount, token: str
) -> None:
    assert refusal(channel, account, verification(token=token)).forged


def test_account_without_credentials_refuses_every_request(channel: WhatsAppChannel, account: ChannelAccount) -> None:
    empty = msgspec.structs.replace(account, credentials={})
    for request in (verification(token=""), signed(notification(value(text("Hi"))), secret="")):
        assert refusal(channel, empty, request).forged


@pytest.mark.parametrize("query", [{"hub_mode": "unsubscribe"}, {"hub_challenge": ""}, {"hub_challenge": "1" * 300}])
def test_incomplete_verification_is_malformed(
    channel: WhatsAppChannel, account: ChannelAccount, query: dict[str, str]
) -> None:
    assert not refusal(channel, account, verification(**query)).forged


@pytest.mark.parametrize("header", ["", "sha256=", "sha256=00", "sha1=00", "é"])
def test_request_with_another_signature_is_forged(
    channel: WhatsAppChannel, account: ChannelAccount, header: str
) -> None:
    request = signed(notification(value(text("Hi"))))
    headers = {**request.headers, "x-hub-signature-256": header}
    assert refusal(channel, account, msgspec.structs.replace(request, headers=headers)).forged
    assert refusal(channel, account, msgspec.structs.replace(request, headers={})).forged
    assert refusal(channel, account, msgspec.structs.replace(request, body=request.body + b" ")).forged


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"object": 1}', b"\xff", b"[" * 100_000])
def test_signed_rubbish_is_malformed(channel: WhatsAppChannel, account: ChannelAccount, body: bytes) -> None:
    assert not refusal(channel, account, signed(body)).forged


def test_text_is_an_event_of_its_user(receiver: Receiver) -> None:
    assert receiver.only(text("Hello?")) == InboundEvent(
        id="wamid.1",
        peer=Peer(USER),
        position=1749416383,
        user=ChannelUser(id=USER, name="Sheena Nelson"),
        message_id="wamid.1",
        text="Hello?",
    )


def test_user_without_a_visible_number_has_another_id(receiver: Receiver) -> None:
    event = receiver.only(text("Hi", **HIDDEN_NUMBER))
    assert (event.peer, event.user.id, event.user.name) == (
        Peer("US.13491208655302741918"),
        "US.13491208655302741918",
        "Sheena Nelson",
    )


def test_batch_has_the_events_of_all_entries_and_only_counts_those_of_other_numbers(receiver: Receiver) -> None:
    batch = receiver.batch(
        value(text("one", "wamid.1"), text("two", "wamid.2")),
        value(text("other", "wamid.3"), number=OTHER_NUMBER, statuses=[status("read")]),
        value(text("three", "wamid.4"), statuses=[status("delivered")]),
    )
    assert [event.text for event in batch.events] == ["one", "two", "three", ""]
    assert batch.ignored == 2


def test_messages_are_ordered_by_their_time(receiver: Receiver) -> None:
    late, early = text("2", "wamid.2", timestamp="1749416390"), text("1", "wamid.1", timestamp="1749416389")
    events = receiver.batch(value(late, early)).events
    assert [event.text for event in sorted(events, key=lambda event: event.position)] == ["1", "2"]


@pytest.mark.parametrize(
    "content",
    [
        message("reaction", reaction={"message_id": "wamid.0", "emoji": "👍"}),
        message("request_welcome"),
        message("revoke", revoke={"original_message_id": "wamid.0"}),
        message("system", system={"type": "customer_identity_changed", "body": "x"}),
        text("in a group", group_id="Y2FwaV9ncm91cDox"),
        text("no sender", from_user_id=None, **HIDDEN_NUMBER),
        text("no time", timestamp="soon"),
        {"id": 1},
        {},
    ],
)
def test_message_that_needs_no_answer_is_only_counted(receiver: Receiver, content: dict[str, Any]) -> None:
    assert receiver.batch(value(content)) == InboundBatch(ignored=1)


def test_faulty_message_doesnt_spoil_the_others(receiver: Receiver) -> None:
    batch = receiver.batch(value(text("one"), {"id": None}, text("two", "wamid.2")))
    assert ([event.text for event in batch.events], batch.ignored) == (["one", "two"], 1)


def test_other_changes_are_only_counted(channel: WhatsAppChannel, account: ChannelAccount) -> None:
    changes = [
        {"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}},
        {"field": "messages", "value": {"metadata": 1}},
        {},
    ]
    entries = [{"id": "1", "changes": changes}, {"id": "2"}]
    payload = {"object": "whatsapp_business_account", "entry": entries}
    assert channel.receive(account, signed(payload)) == InboundBatch(ignored=3)
    assert channel.receive(account, signed({"object": "page", "entry": []})) == InboundBatch(ignored=1)


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("image", {}, MediaKind.IMAGE),
        ("audio", {"voice": True, "mime_type": "audio/ogg; codecs=opus"}, MediaKind.VOICE),
        ("audio", {"voice": False}, MediaKind.AUDIO),
        ("video", {}, MediaKind.VIDEO),
        ("document", {}, MediaKind.DOCUMENT),
        ("sticker", {"animated": True}, MediaKind.STICKER),
    ],
)
def test_media_have_their_kind(receiver: Receiver, kind: str, fields: dict[str, Any], expected: MediaKind) -> None:
    media = {"id": "1003383421387256", "mime_type": "image/jpeg", "sha256": "x", "url": "https://x", **fields}
    content: dict[str, Any] = {kind: media}
    event = receiver.only(message(kind, **content))
    assert event.media == (MediaReference(id="1003383421387256", kind=expected, media_type=media["mime_type"]),)


def test_caption_is_the_text_and_the_file_name_is_apart(receiver: Receiver) -> None:
    document = {"id": "1", "filename": "obey me.pdf", "caption": "Please read", "mime_type": "application/pdf"}
    event = receiver.only(message("document", document=document))
    assert (event.text, event.media[0].file_name) == ("Please read", "obey me.pdf")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (message("button", button={"payload": "x", "text": "Yes"}), "Yes"),
        (
            message("interactive", interactive={"type": "button_reply", "button_reply": {"id": "1", "title": "No"}}),
            "No",
        ),
        (
            message("interactive", interactive={"type": "list_reply", "list_reply": {"id": "1", "title": "Tea"}}),
            "Tea",
        ),
    ],
)
def test_choice_is_a_text(receiver: Receiver, content: dict[str, Any], expected: str) -> None:
    assert receiver.only(content).text == expected


def test_places_and_contacts_are_untrusted_text(receiver: Receiver) -> None:
    place = {"latitude": 44.5, "longitude": -122.25, "name": "Philz Coffee", "address": "101 Forest Ave"}
    event = receiver.only(message("location", location=place))
    assert (event.text, event.quote) == ("", Quote(text="Location: Philz Coffee, 101 Forest Ave, 44.5, -122.25"))
    cards = [{"name": {"formatted_name": "Ann Lee"}, "phones": [{"phone": "+1 555"}, {"type": "HOME"}]}, {}]
    event = receiver.only(message("contacts", contacts=cards))
    assert event.quote == Quote(text="Contact: Ann Lee, +1 555\nContact: ")


@pytest.mark.parametrize("kind", ["unsupported", "order", "poll"])
def test_message_that_cant_be_read_is_answered(receiver: Receiver, kind: str) -> None:
    event = receiver.only(message(kind, errors=[{"code": 131051}]))
    assert [media.kind for media in event.media] == [MediaKind.OTHER]


@pytest.mark.parametrize(
    ("body", "command", "rest"), [("/new", "new", ""), ("!Help me", "help", "me"), ("/newer", None, "/newer")]
)
def test_command_is_recognised(receiver: Receiver, body: str, command: str | None, rest: str) -> None:
    event = receiver.only(text(body))
    assert (event.command, event.text) == (command, rest)


def test_edit_replaces_a_message(receiver: Receiver) -> None:
    content = {"type": "text", "text": {"body": "Hello!"}, "id": "wamid.1"}
    edit = {"original_message_id": "wamid.1", "message": content}
    event = receiver.only(message("edit", "wamid.2", edit=edit))
    assert (event.kind, event.id, event.edited, event.text) == (EventKind.EDIT, "wamid.2", "wamid.1", "Hello!")


@pytest.mark.parametrize("field", ["wa_id", "new_wa_id"])
def test_new_number_moves_the_conversation(receiver: Receiver, field: str) -> None:
    system = {"type": "user_changed_number", "body": "x", field: "16505559999"}
    event = receiver.only(message("system", system=system))
    assert (event.kind, event.peer, event.moved_to) == (EventKind.MOVED, Peer(USER), Peer("16505559999"))


@pytest.mark.parametrize("state", ["sent", "delivered", "read"])
def test_status_refers_to_the_message_that_was_sent(receiver: Receiver, state: str) -> None:
    (event,) = receiver.batch(value(statuses=[status(state)])).events
    assert event == InboundEvent(
        id=f"wamid.sent:{state}",
        peer=Peer(USER),
        kind=EventKind.STATUS,
        user=ChannelUser(id=USER),
        status=DeliveryStatus(platform_id="wamid.sent", status=state),
    )


def test_failed_status_has_the_platforms_code(receiver: Receiver) -> None:
    (event,) = receiver.batch(value(statuses=[status("failed", errors=[LATE])])).events
    assert event.status == DeliveryStatus(platform_id="wamid.sent", status="failed", code="131047")


@pytest.mark.parametrize("content", [status("warning"), status("read", recipient_id=None, recipient_user_id=None), {}])
def test_unknown_status_is_only_counted(receiver: Receiver, content: dict[str, Any]) -> None:
    assert receiver.batch(value(statuses=[content])) == InboundBatch(ignored=1)
