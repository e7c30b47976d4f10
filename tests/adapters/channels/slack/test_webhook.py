"""Requests of the Events API."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from adapters.channels.slack.conftest import account_of
from polyant.adapters.channels.slack.channel import SlackChannel
from polyant.domain.channel_events import (
    ChannelUser,
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
from polyant.testing.manual_clock import ManualClock
from support.slack_events import (
    BOT_USER,
    CHANNEL,
    DIRECT,
    TEAM,
    USER,
    app_mention,
    callback,
    file_of,
    message,
    signed,
)

Received = Callable[..., InboundBatch]
MENTION = f"<@{BOT_USER}>"


def only(batch: InboundBatch) -> InboundEvent:
    (event,) = batch.events
    return event


def refusal(channel: SlackChannel, account: ChannelAccount, request: WebhookRequest) -> WebhookRefusedError:
    with pytest.raises(WebhookRefusedError) as error:
        channel.receive(account, request)
    return error.value


def test_url_verification_is_answered_with_the_challenge(
    channel: SlackChannel, account: ChannelAccount, clock: ManualClock
) -> None:
    payload = {"token": "deprecated", "challenge": "3eZbrw1aB10FEMAGAZd4FyFQ", "type": "url_verification"}
    batch = channel.receive(account, signed(payload, at=clock.now()))
    assert (batch.events, batch.reply.status, batch.reply.body) == ((), 200, b"3eZbrw1aB10FEMAGAZd4FyFQ")


@pytest.mark.parametrize(
    "change",
    [
        lambda request: msgspec.structs.replace(request, body=request.body + b" "),
        lambda request: msgspec.structs.replace(request, headers={}),
        lambda request: msgspec.structs.replace(request, headers={**request.headers, "x-slack-signature": ""}),
        lambda request: msgspec.structs.replace(request, headers={**request.headers, "x-slack-signature": "v0=é"}),
        lambda request: msgspec.structs.replace(
            request, headers={**request.headers, "x-slack-request-timestamp": "1763808241"}
        ),
        lambda request: msgspec.structs.replace(
            request, headers={**request.headers, "x-slack-request-timestamp": "soon"}
        ),
        lambda request: msgspec.structs.replace(
            request, headers={**request.headers, "x-slack-request-timestamp": "9" * 400}
        ),
    ],
)
def test_changed_request_is_forged(
    channel: SlackChannel,
    account: ChannelAccount,
    clock: ManualClock,
    change: Callable[[WebhookRequest], WebhookRequest],
) -> None:
    request = signed(callback(message("Hi", channel=DIRECT)), at=clock.now())
    assert channel.receive(account, request).events
    assert refusal(channel, account, change(request)).forged


def test_signature_of_another_app_is_forged(channel: SlackChannel, account: ChannelAccount, clock: ManualClock) -> None:
    request = signed(callback(message("Hi", channel=DIRECT)), at=clock.now(), secret="0" * 32)
    assert refusal(channel, account, request).forged


@pytest.mark.parametrize("secret", ["", None])
def test_account_without_a_signing_secret_refuses_every_request(
    channel: SlackChannel, clock: ManualClock, secret: str | None
) -> None:
    account = account_of(signing_secret="")
    if secret is None:
        del account.credentials["signing_secret"]  # type: ignore[attr-defined]
    assert refusal(channel, account, signed(callback(message("Hi")), at=clock.now(), secret="")).forged


def test_request_may_be_five_minutes_old(channel: SlackChannel, account: ChannelAccount, clock: ManualClock) -> None:
    request = signed(callback(message("Hi", channel=DIRECT)), at=clock.now())
    clock.advance(300)
    assert channel.receive(account, request).events
    clock.advance(1)
    assert refusal(channel, account, request).forged


def test_request_from_the_future_is_forged(channel: SlackChannel, account: ChannelAccount, clock: ManualClock) -> None:
    clock.advance(301)
    request = signed(callback(message("Hi", channel=DIRECT)), at=clock.now())
    clock.advance(-301)
    assert refusal(channel, account, request).forged


@pytest.mark.parametrize("body", [b"", b"payload=1", b"[]", b"{}", b'{"type": 1}', b"\xff", b"[" * 100_000])
def test_signed_rubbish_is_malformed(
    channel: SlackChannel, account: ChannelAccount, clock: ManualClock, body: bytes
) -> None:
    assert not refusal(channel, account, signed(body, at=clock.now())).forged


def test_direct_message_belongs_to_its_channel(received: Received) -> None:
    assert received(message("Hello?", channel=DIRECT)) == InboundBatch(
        events=(
            InboundEvent(
                id=f"{TEAM}:{DIRECT}:1700000000.000100",
                peer=Peer(DIRECT),
                position=1700000000_000100,
                user=ChannelUser(id=USER, workspace=True),
                message_id="1700000000.000100",
                text="Hello?",
            ),
        )
    )


def test_mention_starts_a_thread_and_a_reply_belongs_to_it(received: Received) -> None:
    first = only(received(app_mention(f"{MENTION} hello")))
    assert (first.peer, first.text, first.private, first.addressed) == (
        Peer(CHANNEL, "1700000000.000100"),
        "hello",
        False,
        True,
    )
    reply = only(received(app_mention(f"and {MENTION}?", ts="1700000001.000200", thread_ts="1700000000.000100")))
    assert (reply.peer, reply.message_id, reply.text) == (first.peer, "1700000001.000200", "and ?")


def test_message_and_mention_are_one_event(received: Received) -> None:
    events = [only(received(event(f"{MENTION} hi"), event_id="Ev1")) for event in (message, app_mention)]
    assert events[0] == events[1]


def test_retry_has_the_same_identity(received: Received) -> None:
    assert received(message("Hi", channel=DIRECT), event_id="Ev1") == received(
        message("Hi", channel=DIRECT), event_id="Ev2"
    )


def test_events_are_ordered_by_time_stamp(received: Received) -> None:
    stamps = ["1699999999.999999", "1700000000.000001", "1700000000.000100"]
    positions = [only(received(message("Hi", channel=DIRECT, ts=ts))).position for ts in stamps]
    assert positions == sorted(set(positions))


def test_thread_of_the_account_needs_no_mention(received: Received) -> None:
    fields = {"ts": "1700000002.000000", "thread_ts": "1700000000.000100"}
    assert only(received(message("And now?", **fields, parent_user_id=BOT_USER))).addressed
    assert received(message("And now?", **fields, parent_user_id=USER)) == InboundBatch(ignored=1)


def test_thread_of_a_direct_message_is_a_conversation_of_its_own(received: Received) -> None:
    event = only(received(message("More?", channel=DIRECT, ts="1700000002.000000", thread_ts="1700000000.000100")))
    assert (event.peer, event.private) == (Peer(DIRECT, "1700000000.000100"), True)


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "just talking"},
        {"text": f"{MENTION}", "bot_id": "B0OTHER"},
        {"text": f"{MENTION}", "subtype": "bot_message", "user": None, "bot_id": "B0OTHER"},
        {"text": f"{MENTION}", "user": BOT_USER},
        {"text": f"{MENTION}", "user": "USLACKBOT"},
        {"text": f"{MENTION}", "user": None},
        {"text": f"{MENTION}", "hidden": True},
        {"text": f"{MENTION}", "subtype": "message_changed"},
        {"text": f"{MENTION}", "subtype": "message_deleted"},
        {"text": f"{MENTION}", "subtype": "channel_join"},
        {"text": f"{MENTION}", "ts": "soon"},
        {"text": f"{MENTION}", "ts": 17},
        {"text": f"{MENTION}", "type": "reaction_added"},
        {"text": f"{MENTION}", "type": "channel_created", "channel": {"id": CHANNEL}},
        {"text": "<@U0BOTTLE> is somebody else"},
    ],
)
def test_event_that_needs_no_answer_is_only_counted(received: Received, fields: dict[str, Any]) -> None:
    assert received(message(**{"text": "x", **fields})) == InboundBatch(ignored=1)


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast", "me_message"])
def test_other_messages_of_users_are_events(received: Received, subtype: str) -> None:
    assert only(received(message(MENTION, subtype=subtype))).addressed


def test_events_of_other_installations_are_only_counted(received: Received) -> None:
    other = {"team_id": "T0002", "user_id": "U0OTHER", "is_bot": True}
    event = message("Hi", channel=DIRECT)
    assert received(event, authorizations=[other]) == InboundBatch(ignored=1)
    assert received(event, team_id="T0002", authorizations=None) == InboundBatch(ignored=1)
    assert received(event, authorizations=None).events
    assert received(event, authorizations=[{"team_id": TEAM, "user_id": USER, "is_bot": False}]).events
    assert received(event, authorizations=[{**other, "is_bot": False}]) == InboundBatch(ignored=1)


def test_other_callbacks_are_only_counted(channel: SlackChannel, account: ChannelAccount, clock: ManualClock) -> None:
    payload = {"type": "app_rate_limited", "team_id": TEAM, "minute_rate_limited": 1700000000, "api_app_id": "A0001"}
    assert channel.receive(account, signed(payload, at=clock.now())) == InboundBatch(ignored=1)


@pytest.mark.parametrize(
    ("fields", "outer", "member"),
    [
        ({}, {}, True),
        ({"team": "T0002"}, {}, False),
        ({"user_team": "T0002"}, {}, False),
        ({"source_team": "T0002"}, {}, False),
        ({"user_team": "E0001"}, {"enterprise_id": "E0001"}, True),
        ({"team": None}, {}, True),
        ({"team": None}, {"is_ext_shared_channel": True}, False),
    ],
)
def test_member_of_the_workspace_is_recognised(
    received: Received, fields: dict[str, Any], outer: dict[str, Any], *, member: bool
) -> None:
    assert only(received(message(MENTION, **fields), **outer)).user.workspace is member


def test_name_of_a_user_of_another_workspace_is_known(received: Received) -> None:
    profile = {"display_name": "", "real_name": "Bea", "avatar_hash": "x"}
    assert only(received(message(MENTION, user_team="T0002", user_profile=profile))).user.name == "Bea"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("ask <@U0BEA>", "ask @U0BEA"),
        ("ask <@U0BEA|bea>", "ask @bea"),
        ("see <#C0GENERAL|general>", "see #general"),
        ("<!here> and <!channel|channel> and <!subteam^S01|@team>", "@here and channel and @team"),
        ("<https://example.com/?a=1&amp;b=2>", "https://example.com/?a=1&b=2"),
        ("<https://example.com|the page>", "[the page](https://example.com)"),
        ("<mailto:a@example.com|a@example.com>", "mailto:a@example.com"),
        ("*bold* _it_ `<b>`", "*bold* _it_ `<b>`".replace("<b>", "b")),
        (f"{MENTION}  two  {MENTION}", "two"),
    ],
)
def test_control_sequences_become_readable(received: Received, text: str, expected: str) -> None:
    assert only(received(message(text, channel=DIRECT))).text == expected


@pytest.mark.parametrize(
    ("text", "command", "rest"),
    [
        ("!new", "new", ""),
        ("/help", "help", ""),
        ("!New plans", "new", "plans"),
        ("!newer", None, "!newer"),
        ("/etc/hosts", None, "/etc/hosts"),
        ("what is !new", None, "what is !new"),
    ],
)
def test_command_is_recognised(received: Received, text: str, command: str | None, rest: str) -> None:
    event = only(received(app_mention(f"{MENTION} {text}")))
    assert (event.command, event.text) == (command, rest)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"mimetype": "image/png"}, MediaKind.IMAGE),
        ({"mimetype": "audio/mp4", "subtype": "slack_audio"}, MediaKind.VOICE),
        ({"mimetype": "video/webm", "subtype": "slack_audio"}, MediaKind.VOICE),
        ({"mimetype": "audio/mpeg"}, MediaKind.AUDIO),
        ({"mimetype": "video/mp4"}, MediaKind.VIDEO),
        ({"mimetype": "application/pdf"}, MediaKind.DOCUMENT),
        ({"mimetype": ""}, MediaKind.DOCUMENT),
    ],
)
def test_file_has_its_kind(received: Received, fields: dict[str, Any], kind: MediaKind) -> None:
    (media,) = only(received(message("", channel=DIRECT, subtype="file_share", files=[file_of(**fields)]))).media
    assert media.kind is kind


def test_files_are_referred_to_by_id(received: Received) -> None:
    files = [file_of("F1"), {"id": "F2", "file_access": "check_file_info"}]
    assert only(received(message("", channel=DIRECT, subtype="file_share", files=files))).media == (
        MediaReference(id="F1", kind=MediaKind.DOCUMENT, file_name="plan.pdf", media_type="application/pdf", size=1234),
        MediaReference(id="F2", kind=MediaKind.DOCUMENT),
    )


def test_shared_message_is_a_quote(received: Received) -> None:
    shared = {"is_share": True, "text": "Lunch &amp; talk?", "author_name": "Bea", "author_id": "U0BEA", "ts": "1.2"}
    other = {"text": "An unfurled page", "title": "Page", "is_msg_unfurl": False}
    event = only(received(message("what is this", channel=DIRECT, attachments=[other, shared])))
    assert event.quote == Quote(text="Lunch & talk?", author="Bea")
    own = {"is_msg_unfurl": True, "text": "My answer", "author_id": BOT_USER}
    event = only(received(message("and this", channel=DIRECT, attachments=[own])))
    assert event.quote == Quote(text="My answer", own=True)
