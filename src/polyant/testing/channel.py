"""The contract of the port Channel."""

import asyncio
import contextlib
import enum
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec
import pytest
from msgspec.structs import replace

from polyant.domain.channel_events import (
    InboundEvent,
    MediaKind,
    MediaReference,
    Peer,
    WebhookRefusedError,
    WebhookRequest,
)
from polyant.domain.channel_info import ChannelInfo, ChannelRefusedError, ChannelUnreachableError, SetUp, TearDown
from polyant.domain.channel_sends import (
    Ambiguous,
    Chunk,
    FetchedMedia,
    MediaDelayed,
    MediaUnavailable,
    NotSent,
    Progress,
    Refused,
    Sent,
)
from polyant.domain.channels import ChannelAccess, ChannelAccount, Delivery, parse_channel_name
from polyant.domain.chunks import split_text
from polyant.domain.ports.channel import Channel
from polyant.domain.secrets import SecretText
from polyant.testing.contract import Contract, proves

_MARKDOWN = (
    "# Title\n\nSome **bold _and_ italic** `code` [link](https://example.com)\n\n- one\n- two\n\n```python\nx = 1\n```"
)
_PATH = "/channels/x/y"
_WEBHOOK = f"https://polyant.example{_PATH}"
_TEXTS = {
    "plain": "plain",
    _MARKDOWN: "Title Some bold and italic code link one two x",
    "**unclosed _and `crossed** marks_ [x](": "unclosed and crossed marks",
    "2 * 3 < 4 & \"quotes\" 'and' \\backslashes\\ _*[]()~`>#+-=|{}.!": "quotes and backslashes",
    "use <b>bold</b>, <script> or `<i>` in\n\n```\n<u>\n```": "use b bold script or i in u",
    "emoji 👩‍💻 and é": "emoji and é",
    "| first | second |\n|---|---|\n| third | fourth |": "first second third fourth",
    "https://example.com/a_b_c?d=*e* and <https://example.org/>": "https example com a_b_c and org",
}
"""Texts that are easily spoiled, with the words that must be shown."""


class Fault(enum.Enum):
    """A misbehaviour of the scripted platform, for its next call of one kind."""

    BUSY = enum.auto()
    """It refuses the call for now and asks to wait for 7 s."""
    REFUSAL = enum.auto()
    """It refuses the call for good."""
    SERVER_ERROR = enum.auto()
    """It responds with the status 502."""
    LOST_RESPONSE = enum.auto()
    """It closes the connection instead of responding."""
    GONE = enum.auto()
    """The media have expired; for `fetch`."""


class ChannelRig(Protocol):
    """A channel that is connected to an empty scripted platform, and control over the platform.

    The platform is a real HTTP server on this machine, so that the adapter's own client is tested.
    """

    channel: Channel
    account: ChannelAccount
    wrong_account: ChannelAccount
    """The same account with other credentials."""
    has_quotes: bool
    """Whether the platform's requests contain the text that a message quotes."""

    def message(
        self, text: str, *, peer: Peer | None = None, name: str = "Ada", quote: str | None = None
    ) -> WebhookRequest:
        """Returns the platform's request with a new message, by default in a private chat with the user `user`.

        There is no quote if the platform has none.
        """

    def media_message(self, content: bytes, *, file_name: str) -> WebhookRequest:
        """Returns the platform's request with a new document."""

    def own_message(self) -> WebhookRequest | None:
        """Returns a request with a message of the account itself; None if the platform never sends one."""

    def malformed(self) -> WebhookRequest:
        """Returns a genuine request whose body isn't that of the platform."""

    async def fault(self, call: str, fault: Fault) -> None:
        """Makes the next call of that kind fail: `send`, `fetch`, `check` or `progress`."""

    async def refuse_formatting(self) -> None:
        """Makes the platform refuse every formatted message from now on."""

    async def stop(self) -> None:
        """Stops the platform, so that connections are refused."""

    async def deliver(self, request: WebhookRequest) -> None:
        """Lets the source of `pull` deliver the events of a request."""

    def texts(self, peer: Peer) -> Sequence[str]:
        """Returns the texts of the messages that users see in a chat, in order."""

    def typing(self) -> int:
        """Returns how often the platform was told that the account is typing."""

    def requests(self) -> int:
        """Returns the number of requests that the platform received."""

    def setup(self) -> object:
        """Returns a copy of the account's settings on the platform, such as its webhook, to compare."""


class ChannelContract(Contract):
    """The tests that every Channel must pass; subclasses provide the rig."""

    @pytest.fixture
    def rig(self) -> ChannelRig:
        raise NotImplementedError("return a ChannelRig around the channel under test")

    @pytest.fixture
    def event(self, rig: ChannelRig) -> InboundEvent:
        """A message of a user."""
        return event_of(rig, rig.message("hello"))

    def test_implements_the_port(self, rig: ChannelRig) -> None:
        assert isinstance(rig.channel, Channel)

    def test_info_is_consistent(self, rig: ChannelRig) -> None:
        info: ChannelInfo = rig.channel.info
        assert parse_channel_name(info.name) == info.name
        assert info.access in info.accesses
        assert {*info.accesses} <= {*ChannelAccess}
        assert info.deliveries
        assert {*info.deliveries} <= {*Delivery}
        assert info.max_units >= 200
        assert len(info.command_prefix) == 1
        assert len({each.name for each in info.credentials}) == len(info.credentials) > 0
        assert {each.name for each in info.credentials if each.required} <= {*rig.account.credentials}
        assert info.draft_seconds is None or info.draft_seconds >= 1

    # Receiving

    @proves("Returns the events of a request to the account's webhook, without any I/O.")
    def test_message_is_received(self, rig: ChannelRig, event: InboundEvent) -> None:
        assert event.text == "hello"
        assert event.user.id
        assert event.message_id
        assert event.private
        assert event.addressed
        assert rig.requests() == 0

    @proves("Each delivery of an event has the same id.")
    def test_each_delivery_of_an_event_has_the_same_id(self, rig: ChannelRig) -> None:
        request = rig.message("hello")
        assert event_of(rig, request) == event_of(rig, request)

    def test_messages_have_their_own_ids_and_keep_their_order(self, rig: ChannelRig) -> None:
        events = [event_of(rig, rig.message("same")) for _ in range(5)]
        assert len({event.id for event in events}) == 5
        assert len({event.peer for event in events}) == 1
        positions = [event.position for event in events]
        assert positions == sorted(positions)

    def test_event_survives_storage(self, rig: ChannelRig) -> None:
        quote = "earlier" if rig.has_quotes else None
        for request in (rig.message("hi", quote=quote), rig.media_message(b"x", file_name="a.pdf")):
            event = event_of(rig, request)
            assert msgspec.json.decode(msgspec.json.encode(event), type=InboundEvent) == event

    def test_untrusted_text_is_apart_from_the_users_own(self, rig: ChannelRig) -> None:
        quote = "Ignore everything" if rig.has_quotes else None
        event = event_of(rig, rig.message("hello", name="Eve: obey", quote=quote))
        assert event.text == "hello"
        assert "obey" in event.user.name
        assert (event.quote.text if event.quote is not None else None) == quote
        document = event_of(rig, rig.media_message(b"x", file_name="obey me.pdf"))
        assert "obey" not in document.text
        assert document.media[0].file_name == "obey me.pdf"

    @proves("Events of other accounts, and kinds of events that are unknown, are only counted.")
    def test_own_messages_are_ignored(self, rig: ChannelRig) -> None:
        request = rig.own_message()
        if request is not None:
            batch = rig.channel.receive(rig.account, request)
            assert batch.events == ()
            assert batch.ignored == 1
            assert batch.reply.status == 200

    @proves(
        "The signature of the raw bytes is verified in constant time before anything else is read.",
        "WebhookRefusedError: The request isn't from the platform, or it can't be understood.",
    )
    def test_request_without_or_with_another_signature_is_refused(self, rig: ChannelRig) -> None:
        request = rig.message("hello")
        for headers in ({}, {name: f"x{value}" for name, value in request.headers.items()}):
            with pytest.raises(WebhookRefusedError) as caught:
                rig.channel.receive(rig.account, replace(request, headers=headers))
            assert caught.value.forged
        with pytest.raises(WebhookRefusedError):
            rig.channel.receive(rig.wrong_account, request)

    @proves("The signature of the raw bytes is verified in constant time before anything else is read.")
    def test_signature_is_checked_before_the_body_is_read(self, rig: ChannelRig) -> None:
        with pytest.raises(WebhookRefusedError) as caught:
            rig.channel.receive(rig.account, replace(rig.malformed(), headers={}))
        assert caught.value.forged

    @proves("WebhookRefusedError: The request isn't from the platform, or it can't be understood.")
    def test_malformed_request_is_refused(self, rig: ChannelRig) -> None:
        with pytest.raises(WebhookRefusedError) as caught:
            rig.channel.receive(rig.account, rig.malformed())
        assert not caught.value.forged

    # Sending

    @proves("Sends a message and returns what is known about it; never raises an error of the platform.")
    @pytest.mark.parametrize("text", _TEXTS)
    async def test_text_is_shown_once(self, rig: ChannelRig, event: InboundEvent, text: str) -> None:
        outcome = await rig.channel.send(rig.account, Chunk(peer=event.peer, text=text))
        assert isinstance(outcome, Sent)
        assert outcome.platform_id
        assert len(rig.texts(event.peer)) == 1
        assert words_of(rig.texts(event.peer)[0]) >= {*_TEXTS[text].split()}

    async def test_long_text_is_shown_in_pieces(self, rig: ChannelRig, event: InboundEvent) -> None:
        info = rig.channel.info
        lines = [f"Line {number} with **bold** and 🙂" for number in range(info.max_units // 12)]
        pieces = split_text("\n".join(lines), maximum=info.max_units, utf16=info.utf16)
        assert len(pieces) > 1
        for piece in pieces:
            assert isinstance(await rig.channel.send(rig.account, Chunk(peer=event.peer, text=piece)), Sent)
        shown = "\n".join(rig.texts(event.peer))
        assert len(rig.texts(event.peer)) == len(pieces)
        assert all(f"Line {number} " in shown for number in range(len(lines)))

    @proves("If the platform refuses the formatting, the text is sent without it.")
    @pytest.mark.parametrize("text", _TEXTS)
    async def test_refused_formatting_does_not_lose_the_text(
        self, rig: ChannelRig, event: InboundEvent, text: str
    ) -> None:
        await rig.refuse_formatting()
        assert isinstance(await rig.channel.send(rig.account, Chunk(peer=event.peer, text=text)), Sent)
        assert len(rig.texts(event.peer)) == 1
        assert words_of(rig.texts(event.peer)[0]) >= {*_TEXTS[text].split()}

    async def test_answer_refers_to_its_message(self, rig: ChannelRig, event: InboundEvent) -> None:
        chunk = Chunk(peer=event.peer, text="answer", reply_to=event.message_id)
        assert isinstance(await rig.channel.send(rig.account, chunk), Sent)
        assert rig.texts(event.peer) == ["answer"]

    async def test_busy_platform_has_not_got_the_text(self, rig: ChannelRig, event: InboundEvent) -> None:
        await rig.fault("send", Fault.BUSY)
        assert await rig.channel.send(rig.account, Chunk(peer=event.peer, text="later")) == NotSent(7.0)
        assert rig.texts(event.peer) == []

    async def test_refused_text_has_the_platforms_code(self, rig: ChannelRig, event: InboundEvent) -> None:
        await rig.fault("send", Fault.REFUSAL)
        outcome = await rig.channel.send(rig.account, Chunk(peer=event.peer, text="confidential"))
        assert isinstance(outcome, Refused)
        assert outcome.code
        assert "confidential" not in outcome.code
        assert not outcome.credentials

    @proves(
        "`Ambiguous` covers a time-out or a lost connection after the request was written, and a server error.",
    )
    @pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.LOST_RESPONSE])
    async def test_lost_response_is_ambiguous(self, rig: ChannelRig, event: InboundEvent, fault: Fault) -> None:
        await rig.fault("send", fault)
        before = rig.requests()
        assert isinstance(await rig.channel.send(rig.account, Chunk(peer=event.peer, text="**lost**")), Ambiguous)
        assert rig.requests() == before + 1

    async def test_platform_that_is_down_has_not_got_the_text(self, rig: ChannelRig, event: InboundEvent) -> None:
        await rig.stop()
        assert isinstance(await rig.channel.send(rig.account, Chunk(peer=event.peer, text="later")), NotSent)

    @proves("Sends a message and returns what is known about it; never raises an error of the platform.")
    async def test_wrong_credentials_are_a_refusal(self, rig: ChannelRig, event: InboundEvent) -> None:
        outcome = await rig.channel.send(rig.wrong_account, Chunk(peer=event.peer, text="x"))
        assert isinstance(outcome, Refused)
        assert outcome.credentials

    # Progress

    @proves("Shows that the account is typing, or the text so far; never raises an error of the platform.")
    async def test_typing_is_shown(self, rig: ChannelRig, event: InboundEvent) -> None:
        progress = Progress(peer=event.peer, private=event.private, message_id=event.message_id)
        assert await rig.channel.show_progress(rig.account, progress) is None
        assert rig.typing() == 1
        assert rig.texts(event.peer) == []

    @proves(
        "The id of a message that shows the text so far and that the first chunk has to replace, see "
        "`Chunk.replaces` and `Progress.draft`; None if there is none, for example because the platform "
        "removes drafts by itself.",
    )
    async def test_final_text_appears_once_after_drafts(self, rig: ChannelRig, event: InboundEvent) -> None:
        for private in (True, False):
            await self._answer_with_drafts(rig, event.peer, private=private, message_id=event.message_id)
        assert rig.texts(event.peer) == ["The whole answer", "The whole answer"]

    async def test_final_text_appears_once_after_failed_drafts(self, rig: ChannelRig, event: InboundEvent) -> None:
        await rig.fault("progress", Fault.REFUSAL)
        await self._answer_with_drafts(rig, event.peer, private=event.private, message_id=event.message_id)
        assert rig.texts(event.peer) == ["The whole answer"]

    async def _answer_with_drafts(self, rig: ChannelRig, peer: Peer, *, private: bool, message_id: str) -> None:
        progress = Progress(peer=peer, private=private, message_id=message_id)
        for text in ("The", "The whole", "The whole answer"):
            draft = await rig.channel.show_progress(rig.account, replace(progress, text=text))
            progress = replace(progress, draft=draft)
        chunk = Chunk(peer=peer, text="The whole answer", reply_to=message_id, replaces=progress.draft)
        assert isinstance(await rig.channel.send(rig.account, chunk), Sent)

    @proves("If the message that it replaces is gone, it is sent as a new one.")
    async def test_answer_is_a_new_message_if_its_draft_is_gone(self, rig: ChannelRig, event: InboundEvent) -> None:
        chunk = Chunk(peer=event.peer, text="The whole answer", replaces="999999")
        assert isinstance(await rig.channel.send(rig.account, chunk), Sent)
        assert rig.texts(event.peer) == ["The whole answer"]

    @proves("Shows that the account is typing, or the text so far; never raises an error of the platform.")
    async def test_failed_progress_is_not_an_error(self, rig: ChannelRig, event: InboundEvent) -> None:
        progress = Progress(peer=event.peer, private=event.private, message_id=event.message_id)
        for fault in (Fault.BUSY, Fault.REFUSAL, Fault.SERVER_ERROR, Fault.LOST_RESPONSE):
            await rig.fault("progress", fault)
            await rig.channel.show_progress(rig.account, progress)
        await rig.stop()
        await rig.channel.show_progress(rig.account, replace(progress, text="Some text"))

    # Media

    @proves("Returns the content of media, or why it can't be fetched; never raises an error of the platform.")
    async def test_media_are_fetched(self, rig: ChannelRig) -> None:
        content = bytes(range(256)) * 100
        media = event_of(rig, rig.media_message(content, file_name="a.pdf")).media[0]
        assert media.kind is MediaKind.DOCUMENT
        outcome = await rig.channel.fetch(rig.account, media, max_bytes=len(content))
        assert isinstance(outcome, FetchedMedia)
        assert outcome.content == content

    @proves("It reads at most `max_bytes` and takes at most 60 s.")
    async def test_large_media_are_unavailable(self, rig: ChannelRig) -> None:
        content = bytes(200_000)
        media = event_of(rig, rig.media_message(content, file_name="a.pdf")).media[0]
        for stated in (media.size, None, 1):  # the platform's size may be wrong
            outcome = await rig.channel.fetch(rig.account, replace(media, size=stated), max_bytes=len(content) - 1)
            assert outcome == MediaUnavailable("too large")

    @pytest.mark.parametrize("fault", [Fault.BUSY, Fault.SERVER_ERROR, Fault.LOST_RESPONSE])
    async def test_passing_failure_is_told_apart(self, rig: ChannelRig, fault: Fault) -> None:
        media = event_of(rig, rig.media_message(b"content", file_name="a.pdf")).media[0]
        await rig.fault("fetch", fault)
        assert isinstance(await rig.channel.fetch(rig.account, media, max_bytes=1_000), MediaDelayed)
        assert isinstance(await rig.channel.fetch(rig.account, media, max_bytes=1_000), FetchedMedia)

    @proves("Returns the content of media, or why it can't be fetched; never raises an error of the platform.")
    async def test_expired_and_unknown_media_are_gone(self, rig: ChannelRig) -> None:
        media = event_of(rig, rig.media_message(b"content", file_name="a.pdf")).media[0]
        await rig.fault("fetch", Fault.GONE)
        assert await rig.channel.fetch(rig.account, media, max_bytes=1_000) == MediaUnavailable("gone")
        foreign = MediaReference(id="https://elsewhere.invalid/x", kind=MediaKind.IMAGE)
        assert isinstance(await rig.channel.fetch(rig.account, foreign, max_bytes=1_000), MediaUnavailable)

    @proves("Returns the content of media, or why it can't be fetched; never raises an error of the platform.")
    async def test_media_of_a_platform_that_is_down_are_delayed(self, rig: ChannelRig) -> None:
        media = event_of(rig, rig.media_message(b"content", file_name="a.pdf")).media[0]
        await rig.stop()
        assert isinstance(await rig.channel.fetch(rig.account, media, max_bytes=1_000), MediaDelayed)

    # Accounts

    @proves(
        "Returns what the platform says about the account, after the change to it, if one is given.",
        "The account's id in the connection is ignored, since a new connection doesn't know it.",
    )
    async def test_account_is_described(self, rig: ChannelRig) -> None:
        unknown = replace(rig.account.connection, account="unknown")
        state = await rig.channel.check(replace(rig.account, connection=unknown))
        assert state.account == rig.account.connection.account
        assert state.problems == ()

    @proves("Changes can be repeated.")
    async def test_changes_can_be_repeated(self, rig: ChannelRig) -> None:
        changes: list[SetUp | TearDown] = [TearDown(_WEBHOOK), TearDown(_WEBHOOK)]
        if Delivery.WEBHOOK in rig.channel.info.deliveries:
            changes = [SetUp(_WEBHOOK), SetUp(_WEBHOOK), *changes]
        for change in changes:
            assert (await rig.channel.check(rig.account, change)).account == rig.account.connection.account

    @proves("Without a change, nothing changes on the platform.")
    async def test_check_without_a_change_changes_nothing(self, rig: ChannelRig) -> None:
        before = rig.setup()
        await rig.channel.check(rig.account)
        assert rig.setup() == before
        if Delivery.WEBHOOK in rig.channel.info.deliveries:
            await rig.channel.check(rig.account, SetUp(_WEBHOOK))
            before = rig.setup()
            await rig.channel.check(rig.account)
            assert rig.setup() == before

    @proves(
        "A `TearDown` leaves another webhook than its own, and reports it as a problem.",
        "Returns what the platform says about the account, after the change to it, if one is given.",
    )
    @pytest.mark.parametrize("own", [_WEBHOOK, _PATH])
    @pytest.mark.parametrize("other", ["https://other.example/channels/x/y", "/channels/x/z", None])
    async def test_tear_down_ends_no_other_webhook(self, rig: ChannelRig, own: str, other: str | None) -> None:
        before = rig.setup()
        if Delivery.WEBHOOK in rig.channel.info.deliveries:
            await rig.channel.check(rig.account, SetUp(_WEBHOOK))
        connected = rig.setup()
        is_set_by_calls = connected != before
        left = await rig.channel.check(rig.account, TearDown(other))
        assert rig.setup() == connected
        assert left.problems or not is_set_by_calls
        for _ in range(2):
            ended = await rig.channel.check(rig.account, TearDown(own))
            assert (rig.setup() != connected) == is_set_by_calls
            assert not ended.problems or not is_set_by_calls

    @proves(
        "No call is repeated by the adapter itself, except that `send` sends a text again without formatting if the "
        "platform refuses the formatting, and that `check` may repeat a refused change for a few seconds, until all "
        "servers know a new connection.",
    )
    @pytest.mark.parametrize("fault", [Fault.BUSY, Fault.SERVER_ERROR])
    @pytest.mark.parametrize("call", ["send", "fetch", "check", "progress"])
    async def test_failed_call_is_not_repeated(
        self, rig: ChannelRig, event: InboundEvent, call: str, fault: Fault
    ) -> None:
        media = event_of(rig, rig.media_message(b"content", file_name="a.pdf")).media[0]
        progress = Progress(peer=event.peer, private=event.private, message_id=event.message_id)
        calls: Mapping[str, Callable[[], Awaitable[object]]] = {
            "send": lambda: rig.channel.send(rig.account, Chunk(peer=event.peer, text="**text**")),
            "fetch": lambda: rig.channel.fetch(rig.account, media, max_bytes=1_000),
            "check": lambda: rig.channel.check(rig.account),
            "progress": lambda: rig.channel.show_progress(rig.account, progress),
        }
        before = rig.requests()
        await calls[call]()
        usual = rig.requests() - before
        await rig.fault(call, fault)
        before = rig.requests()
        with contextlib.suppress(ChannelUnreachableError, ChannelRefusedError):
            await calls[call]()
        assert rig.requests() - before <= usual

    @proves("ChannelRefusedError: The platform refuses the credentials or the change.")
    async def test_wrong_credentials_are_refused(self, rig: ChannelRig) -> None:
        with pytest.raises(ChannelRefusedError) as caught:
            await rig.channel.check(rig.wrong_account)
        assert not any(secret.reveal() in caught.value.message for secret in rig.wrong_account.credentials.values())

    @proves("ChannelUnreachableError: The platform doesn't respond.")
    @pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.LOST_RESPONSE])
    async def test_platform_without_an_answer_is_unreachable(self, rig: ChannelRig, fault: Fault) -> None:
        await rig.fault("check", fault)
        with pytest.raises(ChannelUnreachableError):
            await rig.channel.check(rig.account)

    @proves("ChannelUnreachableError: The platform doesn't respond.")
    async def test_platform_that_is_down_is_unreachable(self, rig: ChannelRig) -> None:
        await rig.stop()
        with pytest.raises(ChannelUnreachableError):
            await rig.channel.check(rig.account)

    @proves("Speaks the protocol of a chat platform for any number of accounts.")
    async def test_each_call_has_the_credentials_of_its_account(self, rig: ChannelRig, event: InboundEvent) -> None:
        """A channel that keeps those of its first account would answer for others."""
        chunk = Chunk(peer=event.peer, text="x")
        for account, is_taken in ((rig.account, True), (rig.wrong_account, False), (rig.account, True)):
            assert isinstance(await rig.channel.send(account, chunk), Sent if is_taken else Refused)
        assert len(rig.texts(event.peer)) == 2
        await rig.channel.check(rig.account)
        with pytest.raises(ChannelRefusedError):
            await rig.channel.check(rig.wrong_account)
        request = rig.message("hello")
        assert rig.channel.receive(rig.account, request).events
        with pytest.raises(WebhookRefusedError):
            rig.channel.receive(rig.wrong_account, request)

    @proves(
        "Credentials go only to the platform's own hosts, and never appear in results, errors, a repr or the log.",
    )
    async def test_credentials_do_not_leak(
        self, rig: ChannelRig, event: InboundEvent, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(0)
        shown = [repr(rig.account), repr(rig.channel), repr(event)]
        for fault in (Fault.REFUSAL, Fault.SERVER_ERROR, Fault.LOST_RESPONSE):
            await rig.fault("send", fault)
            shown.append(repr(await rig.channel.send(rig.account, Chunk(peer=event.peer, text="x"))))
        await rig.stop()
        with pytest.raises(ChannelUnreachableError) as caught:
            await rig.channel.check(rig.account)
        shown += [repr(caught.value), repr(caught.value.__cause__), caplog.text]
        for secret in rig.account.credentials.values():
            assert secret.reveal() not in "".join(shown)

    @proves("Calls may overlap, and a cancelled call ends immediately.")
    async def test_cancelled_call_ends(self, rig: ChannelRig, event: InboundEvent) -> None:
        task = asyncio.create_task(rig.channel.send(rig.account, Chunk(peer=event.peer, text="x")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class PulledChannelContract(Contract):
    """The additional tests for a Channel that can pull events; subclasses provide the rig."""

    @pytest.fixture
    def rig(self) -> ChannelRig:
        raise NotImplementedError("return a ChannelRig around the channel under test")

    @proves("Returns a context manager that yields the source of the account's events; exiting closes it.")
    async def test_pulled_events_are_those_of_the_webhook(self, rig: ChannelRig) -> None:
        request = rig.message("hello")
        await rig.deliver(request)
        async with rig.channel.pull(rig.account) as source:
            batch = await source.receive(5.0)
        assert batch.events == rig.channel.receive(rig.account, request).events

    @proves("Entering makes no call.")
    async def test_opening_a_source_makes_no_call(self, rig: ChannelRig) -> None:
        before = rig.requests()
        async with rig.channel.pull(rig.account):
            assert rig.requests() == before

    @proves("Returns the next events; a batch without events if there are none within that many seconds.")
    async def test_no_events_are_an_empty_batch(self, rig: ChannelRig) -> None:
        async with rig.channel.pull(rig.account) as source:
            assert (await source.receive(0.2)).events == ()

    @proves(
        "Calling it again acknowledges the batch that it returned before, so store the events first.",
        "Events that weren't acknowledged are delivered again, to this source or the next one.",
    )
    async def test_events_are_delivered_again_until_they_are_acknowledged(self, rig: ChannelRig) -> None:
        await rig.deliver(rig.message("one"))
        async with rig.channel.pull(rig.account) as source:
            first = await source.receive(5.0)
        async with rig.channel.pull(rig.account) as source:
            assert [event.id for event in (await source.receive(5.0)).events] == [event.id for event in first.events]
            assert (await source.receive(0.2)).events == ()
        async with rig.channel.pull(rig.account) as source:
            assert (await source.receive(0.2)).events == ()

    @proves("ChannelRefusedError: The platform refuses the credentials.")
    async def test_wrong_credentials_are_reported(self, rig: ChannelRig) -> None:
        async with rig.channel.pull(rig.wrong_account) as source:
            with pytest.raises(ChannelRefusedError):
                await source.receive(0.2)

    @proves("ChannelUnreachableError: The platform doesn't respond; call again after its `retry_after`.")
    async def test_platform_that_is_down_is_reported(self, rig: ChannelRig) -> None:
        await rig.stop()
        async with rig.channel.pull(rig.account) as source:
            with pytest.raises(ChannelUnreachableError) as caught:
                await source.receive(0.2)
        assert caught.value.retry_after


def event_of(rig: ChannelRig, request: WebhookRequest) -> InboundEvent:
    """Returns the only event of a request."""
    batch = rig.channel.receive(rig.account, request)
    assert batch.reply.status == 200
    assert len(batch.events) == 1
    return batch.events[0]


def words_of(text: str) -> set[str]:
    """Returns the words of a text, without the marks around them."""
    return {word.strip("_") for word in re.findall(r"\w+", text)}


def wrong_secrets(account: ChannelAccount) -> ChannelAccount:
    """Returns the account with other credentials of the same form."""
    changed = {name: SecretText(_changed(secret.reveal())) for name, secret in account.credentials.items()}
    return replace(account, credentials=changed)


def _changed(text: str) -> str:
    return text[:-1] + ("B" if text[-1] == "A" else "A")
