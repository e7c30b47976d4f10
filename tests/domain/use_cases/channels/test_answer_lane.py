import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from polyant.domain.audit import CLI
from polyant.domain.channel_events import (
    DeliveryStatus,
    EventKind,
    MediaKind,
    MediaReference,
    Peer,
    WebhookRefusedError,
)
from polyant.domain.channel_sends import Ambiguous, FetchedMedia, MediaDelayed, Moved, NotSent, Refused
from polyant.domain.channels import AmbiguousSends, BurstPolicy, ChannelAccess, UnknownConnectionError
from polyant.domain.chat import AssistantMessage, TextDelta, TextPart, UserMessage
from polyant.domain.conversations import Conversation, ConversationSelection
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.instances import Slug
from polyant.domain.lane_work import DeliveryFilter, EventFilter, EventState
from polyant.domain.media.parts import AudioPart, ImagePart
from polyant.domain.use_cases.connect_channel import NewConnection
from polyant.testing.fake_channel import FAKE_TOKEN
from polyant.testing.media_store import all_of
from support.channel_harness import FAKE
from support.channel_worker import BOT, ChannelWorkerHarness, message
from support.images import png
from support.scripted_supervisor import TOOL_FINISHED, TOOL_STARTED, TURN_FINISHED, says


@pytest.fixture
async def harness() -> ChannelWorkerHarness:
    return await ChannelWorkerHarness.open()


Open = Callable[..., Awaitable[ChannelWorkerHarness]]


async def test_message_is_answered_once_and_kept(harness: ChannelWorkerHarness) -> None:
    for _ in range(3):
        await harness.receive(message(1, "What?"))
    assert await harness.work() == 1
    assert harness.texts == ["Hello!"]
    assert harness.fake.sent[0].peer == Peer("7")
    assert await harness.states() == {"e-7-1": "answered"}
    assert await harness.delivery_states() == ["sent"]
    assert [each.role for each in await harness.history()] == ["user", "assistant"]
    await harness.receive(message(1, "What?"))
    assert await harness.work(seconds=100) == 0


async def test_forged_request_stores_nothing(harness: ChannelWorkerHarness) -> None:
    with pytest.raises(WebhookRefusedError):
        await harness.receive(message(), token="wrong")
    assert await harness.states() == {}


async def test_event_that_no_store_can_keep_does_not_hold_up_the_others(
    harness: ChannelWorkerHarness, caplog: pytest.LogCaptureFixture
) -> None:
    valid = message(1, "Valid")
    strange = [
        msgspec.structs.replace(valid, id=""),
        msgspec.structs.replace(valid, id="nul\0"),
        msgspec.structs.replace(valid, id="x" * 10_000),
        msgspec.structs.replace(valid, id="far", position=2**63),
        msgspec.structs.replace(
            valid, id="status", kind=EventKind.STATUS, status=DeliveryStatus(platform_id="nul\0", status="sent")
        ),
    ]
    await harness.receive(*strange, valid)
    assert await harness.states() == {valid.id: "open"}
    assert (
        len([each for each in caplog.messages if each.endswith("is ignored: its id or its position is invalid")]) == 5
    )


async def test_webhook_of_a_deleted_connection_is_unknown_within_a_second(harness: ChannelWorkerHarness) -> None:
    await harness.receive(message(1))
    await harness.channels.connections.delete(harness.connection.id)
    harness.clock.advance(1)
    with pytest.raises(UnknownConnectionError):
        await harness.receive(message(2))
    with pytest.raises(UnknownConnectionError):
        await harness.receive(message(2))


async def test_turn_continues_the_conversation(harness: ChannelWorkerHarness) -> None:
    for number, text in enumerate(("One", "Two")):
        await harness.receive(message(number, text))
        await harness.work()
    assert harness.supervisor.turns[1].messages == (
        UserMessage.of("One"),
        AssistantMessage("Hello!"),
        UserMessage.of("Two"),
    )
    context = harness.supervisor.turns[1].context
    assert (context.channel, context.caller.channel_user) == ("fake", "7")


async def test_new_starts_another_conversation(harness: ChannelWorkerHarness) -> None:
    await harness.receive(message(1, "One"))
    await harness.work()
    await harness.receive(message(2, "", command="new"))
    await harness.receive(message(3, "Two"))
    await harness.work()
    assert harness.supervisor.turns[1].messages == (UserMessage.of("Two"),)
    assert harness.texts == ["Hello!", "This is a new conversation.", "Hello!"]


async def test_account_of_another_instance_does_not_answer_what_was_left(harness: ChannelWorkerHarness) -> None:
    """It would get the history of the first one."""
    await harness.channels.create("other", provider="echo")
    await harness.receive(message(1, "For bot"))
    await harness.work()
    await harness.receive(message(2, "Left"))
    await harness.channels.disconnect(BOT, FAKE, by=CLI)
    new = NewConnection(channel=FAKE, credentials={"token": FAKE_TOKEN})
    harness.connection = (await harness.channels.connect(Slug("other"), new, by=CLI)).connection
    harness.clock.advance(2)
    await harness.work()
    assert len(harness.supervisor.turns) == 1
    assert (await harness.states())["e-7-2"] == "ignored"
    await harness.receive(message(3, "For other"))
    await harness.work()
    turn = harness.supervisor.turns[-1]
    assert (turn.instance.slug, turn.messages) == ("other", (UserMessage.of("For other"),))


@pytest.mark.parametrize("command", [None, "new"])
async def test_instance_that_is_deleted_meanwhile_gets_no_conversation(
    harness: ChannelWorkerHarness, command: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    await harness.receive(message(1, "One"))
    if command is not None:
        await harness.work()
    start = harness.store.conversations.start

    async def start_late(conversation: Conversation, **options: Any) -> Conversation:
        await harness.channels.repo.delete(BOT)
        selection = ConversationSelection(instance=conversation.instance)
        await harness.store.conversations.delete(selection, limit=100)
        return await start(conversation, **options)

    harness.store.conversations.start = start_late  # type: ignore[method-assign]
    await harness.receive(message(2, "Two", command=command))
    sent = list(harness.texts)
    await harness.work()
    assert harness.store.store.conversations.conversations == {}
    assert harness.texts == sent
    assert await harness.delivery_states() == []
    await harness.work(seconds=2)
    assert "open" not in (await harness.states()).values()
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("prefix", ["/", "!"])
async def test_help_names_commands_as_the_platform_takes_them(harness: ChannelWorkerHarness, prefix: str) -> None:
    harness.fake.info = msgspec.structs.replace(harness.fake.info, command_prefix=prefix)
    await harness.receive(message(1, "", command="help"))
    await harness.work()
    assert f" {prefix}new " in harness.texts[0]


@pytest.mark.parametrize(("command", "language", "text"), [("start", "de-AT", "Hallo!"), ("help", "xx", "Write a")])
async def test_command_is_answered_without_a_turn(
    harness: ChannelWorkerHarness, command: str, language: str, text: str
) -> None:
    await harness.receive(message(1, "", command=command, language=language))
    await harness.work()
    assert harness.texts[0].startswith(text)
    assert harness.supervisor.turns == []


async def test_burst_becomes_one_turn_in_the_platforms_order(harness: ChannelWorkerHarness) -> None:
    for number in (2, 1, 3):
        await harness.receive(message(number, f"m{number}"))
    await harness.work()
    (turn,) = harness.supervisor.turns
    assert [each.text for each in turn.messages if isinstance(each, UserMessage)] == ["m1", "m2", "m3"]
    assert set((await harness.states()).values()) == {"answered"}


async def test_enqueued_messages_get_a_turn_each() -> None:
    harness = await ChannelWorkerHarness.open(burst=BurstPolicy.ENQUEUE)
    await harness.receive(*(message(number, f"m{number}") for number in range(3)))
    assert await harness.work(seconds=0) == 1
    assert len(harness.supervisor.turns) == 3
    assert len(harness.texts) == 3


async def test_edit_replaces_a_message_whose_turn_has_not_begun(harness: ChannelWorkerHarness) -> None:
    edit = message(2, "New", kind=EventKind.EDIT, edited="1")
    await harness.receive(message(1, "Old"), edit)
    await harness.work()
    assert harness.supervisor.turns[0].messages == (UserMessage.of("New"),)
    await harness.receive(message(3, "Late", kind=EventKind.EDIT, edited="1"))
    await harness.work()
    assert len(harness.supervisor.turns) == 1
    assert (await harness.states())["e-7-3"] == "ignored"


async def test_unaddressed_messages_and_strangers_are_ignored() -> None:
    harness = await ChannelWorkerHarness.open(access=ChannelAccess.ALLOW_LIST)
    await harness.receive(message(1, addressed=False), message(2))
    await harness.work()
    assert set((await harness.states()).values()) == {"ignored"}
    assert harness.texts == []


async def test_stranger_gets_a_pairing_code_once_a_minute() -> None:
    harness = await ChannelWorkerHarness.open(access=ChannelAccess.PAIRING)
    for number in range(2):
        await harness.receive(message(number))
        await harness.work()
    code = await harness.channels.pairing.code_of(harness.connection.id, "7")
    assert harness.texts == [f"To talk to me, give this code to an administrator: {code}"]


async def test_long_answer_is_sent_in_chunks(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(TextDelta("word " * 2_000), TURN_FINISHED)
    await harness.receive(message())
    await harness.work()
    assert len(harness.texts) == 3
    assert " ".join(harness.texts).split() == ["word"] * 2_000


async def test_notice_takes_the_place_of_the_draft_of_a_failed_turn(harness: ChannelWorkerHarness) -> None:
    harness.fake.info = msgspec.structs.replace(harness.fake.info, draft_seconds=0.0)
    harness.fake.draft = "draft-1"
    harness.supervisor.plays(TextDelta("Hel"), ProviderError("openai", ProviderFailure.OVERLOADED))
    await harness.receive(message())
    await harness.work()
    harness.fake.draft = "draft-2"
    harness.supervisor.plays(*says("Hello!"))
    await harness.work(seconds=10)
    assert [chunk.replaces for chunk in harness.fake.sent] == ["draft-1", "draft-2"]
    assert harness.texts[1] == "Hello!"


async def test_restarted_turn_continues_its_draft() -> None:
    harness = await ChannelWorkerHarness.open(burst=BurstPolicy.INTERRUPT)
    harness.fake.info = msgspec.structs.replace(harness.fake.info, draft_seconds=0.0)
    harness.fake.draft = "draft-1"
    harness.supervisor.plays(TextDelta("Hel"), asyncio.Event())
    await harness.receive(message(1))
    lease = await harness.store.lanes.claim(owner="tests", seconds=30)
    assert lease is not None
    task = asyncio.create_task(harness.answer_lane(lease))
    await harness.supervisor.runs()
    await harness.clock.sleepers(2)
    await harness.receive(message(2))
    harness.supervisor.plays(*says("Hello!"))
    harness.clock.advance(1)
    await task
    await harness.work()
    first, *others = [each.draft for each in harness.fake.progress if each.text]
    assert (first, {*others}) == (None, {"draft-1"})
    assert [chunk.replaces for chunk in harness.fake.sent] == ["draft-1"]


@pytest.mark.parametrize("outcome", [NotSent(30.0), Ambiguous("time-out")])
async def test_every_attempt_to_send_an_answer_replaces_its_draft(
    harness: ChannelWorkerHarness, outcome: NotSent | Ambiguous
) -> None:
    harness.fake.info = msgspec.structs.replace(harness.fake.info, draft_seconds=0.0)
    harness.fake.draft = "draft-1"
    harness.fake.outcomes.append(outcome)
    await harness.receive(message())
    await harness.work()
    assert harness.texts == []
    await harness.work(seconds=40)
    assert harness.texts == ["Hello!"]
    assert [chunk.replaces for chunk in harness.fake.attempts] == ["draft-1", "draft-1"]


async def test_chunk_that_was_not_sent_is_sent_later_in_order(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(TextDelta("word " * 1_000), TURN_FINISHED)
    harness.fake.outcomes.append(NotSent(30.0))
    await harness.receive(message())
    await harness.work()
    assert (harness.texts, await harness.delivery_states()) == ([], ["queued", "queued"])
    assert await harness.work(seconds=10) == 0
    await harness.work(seconds=21)
    assert len(harness.texts) == 2
    assert len(harness.supervisor.turns) == 1
    assert await harness.delivery_states() == ["sent", "sent"]


async def test_ambiguous_chunk_is_sent_again_and_marked(harness: ChannelWorkerHarness) -> None:
    harness.fake.outcomes.append(Ambiguous("time-out"))
    await harness.receive(message())
    await harness.work()
    assert await harness.delivery_states() == ["sending"]
    await harness.work(seconds=5)
    assert len(harness.fake.attempts) == 2
    page = await harness.store.outbox.list(DeliveryFilter(ambiguous=True), limit=9)
    assert [(each.state.value, each.ambiguous) for each in page.deliveries] == [("sent", 1)]


async def test_ambiguous_chunk_is_held_by_policy() -> None:
    harness = await ChannelWorkerHarness.open(ambiguous_sends=AmbiguousSends.HOLD)
    harness.supervisor.plays(TextDelta("word " * 1_000), TURN_FINISHED)
    harness.fake.outcomes.append(Ambiguous("time-out"))
    await harness.receive(message())
    await harness.work()
    await harness.work(seconds=5)
    assert len(harness.fake.attempts) == 2
    assert await harness.delivery_states() == ["unknown", "sent"]


async def test_refused_chunk_does_not_hold_up_the_next(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(TextDelta("word " * 1_000), TURN_FINISHED)
    harness.fake.outcomes.append(Refused("403"))
    await harness.receive(message())
    await harness.work()
    assert await harness.delivery_states() == ["failed", "sent"]


async def test_chat_with_a_new_id_keeps_its_conversation(harness: ChannelWorkerHarness) -> None:
    await harness.receive(message(1, "One"))
    await harness.work()
    harness.fake.outcomes.append(Moved(Peer("99")))
    await harness.receive(message(2, "Two"))
    await harness.work()
    assert [chunk.peer.chat for chunk in harness.fake.sent] == ["7", "99"]
    await harness.receive(message(3, "Three", chat="99"))
    await harness.work()
    assert len(harness.supervisor.turns[-1].messages) == 5


async def test_announced_move_of_a_chat_keeps_its_conversation(harness: ChannelWorkerHarness) -> None:
    await harness.receive(message(1, "One"))
    await harness.work()
    await harness.receive(message(2, kind=EventKind.MOVED, moved_to=Peer("99")))
    await harness.work()
    await harness.receive(message(3, "Three", chat="99"))
    await harness.work()
    assert len(harness.supervisor.turns[-1].messages) == 3


async def test_passing_failure_is_tried_again_after_one_notice(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(ProviderError("echo", ProviderFailure.OVERLOADED))
    await harness.receive(message())
    for seconds in (1, 6, 21):
        assert await harness.work(seconds=seconds) == 1
    assert [text[:17] for text in harness.texts] == ["This takes longer"]
    harness.supervisor.plays(*says("At last"))
    await harness.work(seconds=61)
    assert harness.texts[1:] == ["At last"]
    assert await harness.states() == {"e-7-1": "answered"}


async def test_failure_that_lasts_becomes_a_dead_letter(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(ProviderError("echo", ProviderFailure.OVERLOADED))
    await harness.receive(message())
    for _ in range(5):
        assert await harness.work(seconds=200) == 1
    assert await harness.work(seconds=1_000) == 0
    assert await harness.states() == {"e-7-1": "dead"}
    assert len(harness.supervisor.turns) == 5
    assert harness.texts[1] == "Sorry, I can't answer this message."


async def test_permanent_failure_is_a_dead_letter_at_once_with_one_apology(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(ProviderError("echo", ProviderFailure.AUTH))
    for number in range(3):
        await harness.receive(message(number))
        await harness.work()
    assert harness.texts == ["Sorry, I can't answer this message."]
    assert set((await harness.states()).values()) == {"dead"}
    assert await harness.history() == []


async def test_each_conversation_gets_its_apology_whoever_wrote(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(ProviderError("echo", ProviderFailure.AUTH))
    for number, (chat, user) in enumerate([("7", "7"), ("-1", "7"), ("-1", "8"), ("7", "7"), ("-1", "7")]):
        await harness.receive(message(number, chat=chat, user=user, private=chat == user))
        await harness.work()
    assert [chunk.peer.chat for chunk in harness.fake.sent] == ["7", "-1"]
    await harness.receive(message(9, chat="-1", user="8", private=False))
    await harness.work(seconds=60)
    assert [chunk.peer.chat for chunk in harness.fake.sent] == ["7", "-1", "-1"]


async def test_replayed_dead_letter_is_answered_or_dies_again(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(ProviderError("echo", ProviderFailure.AUTH))
    await harness.receive(message())
    await harness.work()
    (dead,) = (await harness.store.inbox.list(EventFilter(), limit=9)).events
    assert dead.error == ProviderError("echo", ProviderFailure.AUTH).explanation
    await harness.store.inbox.replay(dead.id)
    assert await harness.work() == 1
    assert await harness.states() == {"e-7-1": "dead"}
    harness.supervisor.plays(*says("At last"))
    await harness.store.inbox.replay(dead.id)
    await harness.work()
    assert harness.texts[-1] == "At last"


async def test_event_that_kills_the_process_becomes_a_dead_letter(harness: ChannelWorkerHarness) -> None:
    """A killed process neither finishes the event nor releases the lane."""
    await harness.receive(message())
    for _ in range(5):
        harness.clock.advance(31)
        lease = await harness.store.lanes.claim(owner="killed", seconds=30)
        assert lease is not None
        await harness.store.inbox.load(lease, limit=20)
    await harness.work(seconds=31)
    assert await harness.states() == {"e-7-1": "dead"}
    assert harness.supervisor.turns == []


async def test_internal_error_is_logged_and_counted(
    harness: ChannelWorkerHarness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.supervisor.plays(ValueError("oops"))
    await harness.receive(message())
    for _ in range(6):
        await harness.work(seconds=20)
    assert await harness.states() == {"e-7-1": "dead"}
    assert "A message of fake can't be answered" in caplog.messages


async def test_user_is_limited_and_told_once(harness: ChannelWorkerHarness) -> None:
    for number in range(23):
        await harness.receive(message(number))
        await harness.work()
    assert len(harness.supervisor.turns) == 20
    assert harness.texts[20:] == ["You have sent many messages. Please wait a few minutes."]
    assert sorted((await harness.states()).values())[-3:] == ["limited"] * 3
    await harness.receive(message(1, chat="8", user="8"))
    await harness.work()
    assert len(harness.supervisor.turns) == 21


async def test_shutdown_gives_the_lane_back_without_an_attempt(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(asyncio.Event())
    await harness.receive(message())
    for _ in range(8):
        harness.clock.advance(1)
        lease = await harness.store.lanes.claim(owner="tests", seconds=30)
        assert lease is not None
        task = asyncio.create_task(harness.answer_lane(lease))
        await harness.supervisor.runs()
        harness.runner.turns.interrupt_all()
        await task
    (event,) = (await harness.store.inbox.list(EventFilter(), limit=9)).events
    assert (event.state, event.attempts) == (EventState.OPEN, 0)
    harness.supervisor.plays(*says("Back"))
    await harness.work()
    assert harness.texts == ["Back"]


async def test_cancelled_work_gives_the_lane_back(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(asyncio.Event())
    await harness.receive(message())
    harness.clock.advance(1)
    lease = await harness.store.lanes.claim(owner="tests", seconds=30)
    assert lease is not None
    task = asyncio.create_task(harness.answer_lane(lease))
    await harness.supervisor.runs()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    harness.supervisor.plays(*says("Back"))
    await harness.work()
    assert harness.texts == ["Back"]


async def test_busy_server_postpones_without_an_attempt(harness: ChannelWorkerHarness) -> None:
    harness.runner.turns._max_turns = 0
    await harness.receive(message())
    for _ in range(8):
        assert await harness.work(seconds=2) == 1
    harness.runner.turns._max_turns = 9
    await harness.work(seconds=2)
    assert harness.texts == ["Hello!"]


async def test_lost_lease_ends_the_turn_and_stores_nothing(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(asyncio.Event())
    await harness.receive(message())
    harness.clock.advance(1)
    late = await harness.store.lanes.claim(owner="late", seconds=1)
    assert late is not None
    task = asyncio.create_task(harness.answer_lane(late))
    await harness.supervisor.runs()
    harness.supervisor.plays(*says("From another process"))
    harness.store.store.conversations.lanes[late.lane.id].due_at = 0.0
    await harness.work()
    await harness.clock.sleepers()
    harness.clock.advance(11)
    await task
    assert harness.texts == ["From another process"]
    assert len(await harness.history()) == 2


async def test_new_message_interrupts_the_turn_by_policy() -> None:
    harness = await ChannelWorkerHarness.open(burst=BurstPolicy.INTERRUPT)
    harness.supervisor.plays(asyncio.Event())
    await harness.receive(message(1, "One"))
    lease = await harness.store.lanes.claim(owner="tests", seconds=30)
    assert lease is not None
    task = asyncio.create_task(harness.answer_lane(lease))
    await harness.supervisor.runs()
    await harness.receive(message(2, "Two"))
    harness.supervisor.plays(*says("Both"))
    await harness.clock.sleepers(2)
    harness.clock.advance(1)
    await task
    await harness.work()
    assert harness.texts == ["Both"]
    assert [each.text for each in harness.supervisor.turns[-1].messages] == ["One", "Two"]  # type: ignore[union-attr]


async def test_turn_that_ran_a_tool_is_not_interrupted() -> None:
    harness = await ChannelWorkerHarness.open(burst=BurstPolicy.INTERRUPT)
    proceed = asyncio.Event()
    harness.supervisor.plays(TOOL_STARTED, TOOL_FINISHED, proceed, *says("First"))
    await harness.receive(message(1, "One"))
    lease = await harness.store.lanes.claim(owner="tests", seconds=30)
    assert lease is not None
    task = asyncio.create_task(harness.answer_lane(lease))
    await harness.supervisor.runs()
    await harness.receive(message(2, "Two"))
    await harness.clock.sleepers(2)
    harness.clock.advance(1)
    proceed.set()
    await task
    await harness.work()
    assert harness.texts == ["First", "First"]
    assert [message.tools for message in await harness.history()][1] == ("calculate",)


VOICE = MediaReference(id="v", kind=MediaKind.VOICE)


async def test_media_are_passed_to_the_model(harness: ChannelWorkerHarness) -> None:
    harness.fake.media["v"] = FetchedMedia(content=b"OggS...")
    await harness.receive(message(1, "Listen", media=(VOICE,)))
    await harness.work()
    (asked,) = harness.supervisor.turns[0].messages
    assert isinstance(asked, UserMessage)
    assert asked.parts == (TextPart("Listen"), AudioPart(media_type="audio/ogg", data=b"OggS..."))


async def test_transcript_of_a_recording_stays_in_the_history(harness: ChannelWorkerHarness) -> None:
    harness.transcriber.enable({b"OggS...": "Call me"})
    harness.fake.media["v"] = FetchedMedia(content=b"OggS...")
    await harness.receive(message(1, "Listen", media=(VOICE,)))
    await harness.work()
    await harness.receive(message(2, "When?"))
    await harness.work()
    for turn in harness.supervisor.turns:
        asked = turn.messages[0]
        assert isinstance(asked, UserMessage)
        assert asked.text.startswith("Listen\n\n[Transcript of a recording")
        assert "\nCall me\n" in asked.text
    assert await all_of(harness.media_store) == []


async def test_image_is_kept_encrypted_for_later_questions(harness: ChannelWorkerHarness) -> None:
    reference = MediaReference(id="p", kind=MediaKind.IMAGE)
    harness.fake.media["p"] = FetchedMedia(content=png())
    await harness.receive(message(1, "", media=(reference,)))
    await harness.work()
    (item,) = await all_of(harness.media_store)
    assert b"PNG" not in item.content
    await harness.receive(message(2, "What is it?"))
    await harness.work()
    asked = harness.supervisor.turns[-1].messages[0]
    assert isinstance(asked, UserMessage)
    assert ImagePart(media_type="image/png", data=png()) in asked.parts


async def test_missing_media_do_not_hold_up_the_answer(harness: ChannelWorkerHarness) -> None:
    await harness.receive(message(1, "Listen", media=(VOICE,)))
    await harness.work()
    (asked,) = harness.supervisor.turns[0].messages
    assert isinstance(asked, UserMessage)
    assert asked.text == "Listen\n[voice message unavailable: gone]"


async def test_delayed_media_postpone_the_turn(harness: ChannelWorkerHarness) -> None:
    harness.fake.media["v"] = MediaDelayed(7.0)
    await harness.receive(message(1, "Listen", media=(VOICE,)))
    await harness.work()
    assert harness.supervisor.turns == []
    harness.fake.media["v"] = FetchedMedia(content=b"OggS...")
    assert await harness.work(seconds=5) == 0
    await harness.work(seconds=3)
    assert len(harness.supervisor.turns) == 1


async def test_lease_is_kept_while_media_are_fetched(harness: ChannelWorkerHarness) -> None:
    arrived = asyncio.Event()

    async def fetch(account: object, media: object, *, max_bytes: int) -> FetchedMedia:
        await arrived.wait()
        return FetchedMedia(content=b"OggS...")

    harness.fake.fetch = fetch  # type: ignore[method-assign]
    await harness.receive(message(1, "Listen", media=(VOICE,)))
    working = asyncio.create_task(harness.work())
    for _ in range(6):
        await harness.clock.sleepers()
        harness.clock.advance(10)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert await harness.store.lanes.claim(owner="other", seconds=30) is None
    arrived.set()
    await working
    assert harness.texts == ["Hello!"]


async def test_typing_is_shown_while_the_turn_runs(harness: ChannelWorkerHarness) -> None:
    proceed = asyncio.Event()
    harness.supervisor.plays(proceed, *says("Hello!"))
    await harness.receive(message())
    working = asyncio.create_task(harness.work())
    await harness.supervisor.runs()
    await harness.clock.sleepers(2)
    proceed.set()
    await working
    assert [(each.peer, each.text) for each in harness.fake.progress] == [(Peer("7"), "")]


async def test_disconnected_account_ends_its_work(harness: ChannelWorkerHarness) -> None:
    await harness.receive(message())
    await harness.channels.connections.delete(harness.connection.id)
    await harness.work()
    assert await harness.states() == {"e-7-1": "ignored"}
    assert await harness.store.lanes.due_in() is None


async def test_stored_texts_are_ciphertext(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(*says("Top secret answer"))
    await harness.receive(message(1, "Top secret question"))
    tables = harness.store.store.conversations
    stored = repr((tables.lanes, tables.events))
    harness.fake.outcomes.append(NotSent(30.0))
    await harness.work()
    stored += repr((tables.messages, tables.conversations, tables.deliveries, tables.events))
    assert "secret" not in stored
    assert "Ann" not in stored
