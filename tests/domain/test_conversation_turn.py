"""Turns of stored conversations, on the store in memory."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec
import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.lanes import MemoryLanes
from polyant.domain.chat import (
    AssistantMessage,
    ChatRequest,
    SupervisorEvent,
    TextDelta,
    TextPart,
    Turn,
    TurnFinished,
    UserMessage,
)
from polyant.domain.conversations import ConversationId, ConversationSelection, CurrentConversation, Message
from polyant.domain.errors import (
    InvalidInputError,
    LeaseLostError,
    ProviderError,
    ProviderFailure,
    StorageUnavailableError,
    TurnTimeoutError,
    UnknownConversationError,
    UnknownModelError,
)
from polyant.domain.instances import Instance
from polyant.domain.lanes import Lane, Lease
from polyant.domain.limits import TurnBudget, TurnLimits
from polyant.domain.media.parts import ImageLink, ImagePart
from polyant.domain.media.stored import UnknownMediaError
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.run_turn import TurnRun
from polyant.testing.conversation_store import api_lane
from polyant.testing.factories import InstanceFactory
from polyant.testing.manual_clock import ManualClock
from polyant.testing.media_store import all_of
from polyant.testing.turns import CONTEXT
from support.app import SEEING
from support.conversations import ConversationHarness
from support.images import png
from support.patience import PATIENCE
from support.scripted_supervisor import TOOL_FINISHED, TOOL_STARTED, TURN_FINISHED, ScriptedSupervisor, Step, says
from support.turn_runner import TurnRunner, events_of

USER, ASSISTANT = "user", "assistant"
PROVIDERS = ("openai", "anthropic", "scripted")
FAILURE = ProviderError("vendor", ProviderFailure.OVERLOADED)


class Chat:
    """A client that holds a conversation with an instance."""

    def __init__(
        self, *, budget: TurnBudget | None = None, lease_seconds: float = 30.0, media_bytes: int = 1_000_000
    ) -> None:
        self.supervisor = ScriptedSupervisor()
        self.runner = TurnRunner(
            self.supervisor,
            budget=budget,
            providers=dict.fromkeys(PROVIDERS, SEEING),
            max_media_bytes=media_bytes,
        )
        cipher = AesGcmSecretCipher(master_keys=[SecretText("0f" * 32)])
        self.clock = ManualClock()
        self.stored = ConversationHarness(
            cipher, clock=self.clock, lease_seconds=lease_seconds, media_memory=self.runner.media
        )
        self.instance: Instance = InstanceFactory.build(
            conversations=True, auth_enabled=True, history_tokens=8_000, history_messages=100, limits=TurnLimits()
        )
        self.stored.memory.instances.put(self.instance)

    def run(
        self, *messages: UserMessage | AssistantMessage | str, chat_id: str | None = "chat-1", user: str | None = None
    ) -> TurnRun:
        given = tuple(UserMessage.of(each) if isinstance(each, str) else each for each in messages)
        turn = self.stored.turns.turn_of(self.instance, given, chat_id=chat_id, user=user)
        request = ChatRequest(model=self.instance.slug, messages=given, stream=True)
        return self.runner.run_turn(self.instance, request, CONTEXT, turn)

    async def say(
        self,
        *messages: UserMessage | AssistantMessage | str,
        chat_id: str | None = "chat-1",
        user: str | None = None,
        answer: Sequence[Step] = says("Hello!"),
    ) -> list[str]:
        """Returns the texts that the model got."""
        self.supervisor.plays(*answer)
        await events_of(self.run(*messages, chat_id=chat_id, user=user))
        return texts_of(self.supervisor.turns[-1])

    async def texts(self) -> list[tuple[str, str, bool]]:
        return await self.stored.texts(self.instance.id)


def attempts_at(lanes: MemoryLanes) -> list[Lane]:
    """Returns a list to which each attempt to lease a lane is added."""
    attempts: list[Lane] = []
    acquire = lanes.acquire

    async def counted(lane: Lane, **options: Any) -> Lease | None:
        attempts.append(lane)
        return await acquire(lane, **options)

    lanes.acquire = counted  # type: ignore[method-assign]
    return attempts


def texts_of(turn: Turn) -> list[str]:
    return [each.content if isinstance(each, AssistantMessage) else each.text for each in turn.messages]


@pytest.fixture
def chat() -> Chat:
    return Chat()


async def test_stored_history_goes_up_before_the_new_message(chat: Chat) -> None:
    assert await chat.say("One", answer=says("A ", "first")) == ["One"]
    assert await chat.say("Two", answer=says("Second")) == ["One", "A first", "Two"]
    assert await chat.say("Three") == ["One", "A first", "Two", "Second", "Three"]
    assert await chat.texts() == [
        (USER, "One", True),
        (ASSISTANT, "A first", True),
        (USER, "Two", True),
        (ASSISTANT, "Second", True),
        (USER, "Three", True),
        (ASSISTANT, "Hello!", True),
    ]


async def test_conversations_are_separate_by_chat_and_user(chat: Chat) -> None:
    await chat.say("One")
    assert await chat.say("Two", chat_id="chat-2") == ["Two"]
    assert await chat.say("Three", user="ann") == ["Three"]
    assert await chat.say("Four", user="bob") == ["Four"]
    assert await chat.say("Five", user="ann") == ["Three", "Hello!", "Five"]
    assert len(await chat.stored.histories(chat.instance.id)) == 4


@pytest.mark.parametrize(
    ("fields", "chat_id"),
    [({"conversations": False}, "c"), ({"auth_enabled": False}, "c"), ({}, None), ({}, "")],
)
async def test_nothing_is_kept_without_switch_key_or_chat_id(
    chat: Chat, fields: dict[str, bool], chat_id: str | None
) -> None:
    chat.instance = msgspec.structs.replace(chat.instance, **fields)
    assert not chat.run("One", chat_id=chat_id).keeps_conversation
    await chat.say("One", chat_id=chat_id)
    assert await chat.say("Two", chat_id=chat_id) == ["Two"]
    assert await chat.stored.histories(chat.instance.id) == []


async def test_own_history_is_the_truth_and_stays_it(chat: Chat) -> None:
    await chat.say("One")
    own = (UserMessage.of("Uno"), AssistantMessage("Otra"), UserMessage.of("Dos"), UserMessage.of("Tres"))
    assert await chat.say(*own) == ["Uno", "Otra", "Dos", "Tres"]
    assert await chat.say("Four") == ["Four"], "client-managed from now on"
    texts = [text for _, text, _ in await chat.texts()]
    assert texts == ["One", "Hello!", "Dos", "Tres", "Hello!", "Four", "Hello!"]


async def test_own_history_that_ends_with_an_answer_stores_only_the_next_answer(chat: Chat) -> None:
    await chat.say(UserMessage.of("One"), AssistantMessage("And"), answer=says(" then"))
    assert await chat.texts() == [(ASSISTANT, " then", True)]
    assert await chat.say("Two") == ["Two"]


async def test_user_message_is_stored_before_the_turn_and_unanswered_until_its_end(chat: Chat) -> None:
    gate = asyncio.Event()
    chat.supervisor.plays(TextDelta("Hi"), gate, TURN_FINISHED)
    task = asyncio.create_task(events_of(chat.run("One")))
    await chat.supervisor.runs()
    assert await chat.texts() == [(USER, "One", False)]
    gate.set()
    await task
    assert await chat.texts() == [(USER, "One", True), (ASSISTANT, "Hi", True)]


async def test_answer_is_stored_before_the_last_event(chat: Chat) -> None:
    async with chat.run("One") as run:
        async for event in run:
            stored = len(await chat.texts())
            assert stored == (2 if isinstance(event, TurnFinished) else 1)


async def test_failed_turn_leaves_its_message_unanswered_and_out_of_the_history(chat: Chat) -> None:
    await chat.say("One")
    with pytest.raises(ProviderError):
        await chat.say("Two", answer=(TextDelta("Half"), FAILURE))
    assert (await chat.texts())[2:] == [(USER, "Two", False)]
    assert await chat.say("Three") == ["One", "Hello!", "Three"]


async def test_repeated_message_replaces_its_unanswered_twin(chat: Chat) -> None:
    for _ in range(3):
        with pytest.raises(ProviderError):
            await chat.say("One", "More", answer=(FAILURE,))
    assert await chat.texts() == [(USER, "One", False), (USER, "More", False)]
    await chat.say("One", "More")
    await chat.say("One")
    assert await chat.texts() == [
        (USER, "One", True),
        (USER, "More", True),
        (ASSISTANT, "Hello!", True),
        (USER, "One", True),
        (ASSISTANT, "Hello!", True),
    ]


async def test_abandoned_turn_frees_the_conversation(chat: Chat) -> None:
    chat.supervisor.plays(TextDelta("Hi"), asyncio.Event())
    async with chat.run("One") as run:
        await anext(run)
    assert await chat.texts() == [(USER, "One", False)]
    assert await chat.say("Two") == ["Two"]


async def test_turns_of_one_conversation_run_one_after_another(chat: Chat) -> None:
    gate = asyncio.Event()
    chat.supervisor.plays(gate, *says("First"))
    first = asyncio.create_task(events_of(chat.run("One")))
    await chat.supervisor.runs()
    second = asyncio.create_task(events_of(chat.run("Two")))
    await asyncio.sleep(0.02)
    assert len(chat.supervisor.turns) == 1
    assert await chat.say("Elsewhere", chat_id="chat-2") == ["Elsewhere"]
    gate.set()
    await asyncio.gather(first, second)
    assert texts_of(chat.supervisor.turns[-1]) == ["One", "First", "Two"]


async def test_waiting_counts_towards_the_time_of_the_turn() -> None:
    chat = Chat(budget=TurnBudget(turn_seconds=0.2))
    lane = api_lane(await chat.stored.hashes.lane(chat.instance.id, "api", "chat-1"))
    assert await chat.stored.lanes.acquire(lane, owner="other", seconds=99) is not None
    with pytest.raises(TurnTimeoutError):
        await events_of(chat.run("Two"))
    assert chat.supervisor.turns == []


async def test_turn_that_lost_its_conversation_ends_with_an_error() -> None:
    chat = Chat(lease_seconds=0.06)
    chat.supervisor.plays(TextDelta("Hi"), asyncio.Event())
    lane = await chat.stored.hashes.lane(chat.instance.id, "api", "chat-1")

    async def take_over() -> None:
        await chat.supervisor.runs()
        chat.clock.advance(99)
        row = chat.stored.memory.conversations.lanes[lane]
        assert await chat.stored.lanes.acquire(row.lane, owner="other", seconds=99) is not None

    other = asyncio.create_task(take_over())
    with pytest.raises(LeaseLostError):
        await events_of(chat.run("One"))
    await other
    assert await chat.texts() == [(USER, "One", False)]


async def test_late_answer_is_not_stored(chat: Chat) -> None:
    lane = await chat.stored.hashes.lane(chat.instance.id, "api", "chat-1")
    gate = asyncio.Event()
    chat.supervisor.plays(TextDelta("Late"), gate, TURN_FINISHED)
    late = asyncio.create_task(events_of(chat.run("One")))
    await chat.supervisor.runs()
    chat.clock.advance(99)
    row = chat.stored.memory.conversations.lanes[lane]
    lease = await chat.stored.lanes.acquire(row.lane, owner="other", seconds=99)
    assert lease is not None
    gate.set()
    with pytest.raises(LeaseLostError):
        await late
    await chat.stored.lanes.release(lease)
    assert await chat.texts() == [(USER, "One", False)]


class FullDisk(ScriptedSupervisor):
    """A Supervisor during whose turns the store becomes unavailable."""

    def __init__(self, chat: Chat) -> None:
        super().__init__()
        self._chat = chat

    async def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        async def fail(*_: object, **__: object) -> None:
            raise StorageUnavailableError

        self._chat.stored.repo.append = fail  # type: ignore[method-assign]
        async for event in super().run(turn):
            yield event


async def test_answer_that_cannot_be_stored_ends_the_turn_with_an_error(chat: Chat) -> None:
    chat.runner = TurnRunner(FullDisk(chat))
    events = []
    with pytest.raises(StorageUnavailableError):  # noqa: PT012 - the events before the error matter
        async with chat.run("One") as run:
            async for event in run:
                events.append(event)  # noqa: PERF401 - see above
    assert events == [TextDelta("Hello!")]
    assert await chat.texts() == [(USER, "One", False)]


def appended_to(chat: Chat) -> list[str]:
    """Returns a list to which the role of each message is added that is appended after the lane was leased."""
    appended: list[str] = []
    append = chat.stored.repo.append

    async def counted(conversation: ConversationId, messages: Sequence[Message], **options: Any) -> None:
        appended.extend(message.role.value for message in messages)
        await append(conversation, messages, **options)

    chat.stored.repo.append = counted  # type: ignore[method-assign]
    return appended


def delete_once_read(chat: Chat) -> None:
    """Lets the conversation be deleted between its reading and the writing of the next turn."""
    current = chat.stored.repo.current

    async def then_deleted(*args: object, **options: object) -> object:
        found = await current(*args, **options)  # type: ignore[arg-type]
        await chat.stored.repo.delete(ConversationSelection(instance=chat.instance.id), limit=100)
        return found

    chat.stored.repo.current = then_deleted  # type: ignore[method-assign,assignment]


async def test_conversation_deleted_before_its_turn_starts_again(chat: Chat) -> None:
    await chat.say("One")
    chat.stored.turns = chat.stored.process("which doesn't know the conversation")
    delete_once_read(chat)
    assert await chat.say("Two") == ["Two"]
    assert await chat.texts() == [(USER, "Two", True), (ASSISTANT, "Hello!", True)]


async def test_continued_turn_writes_its_message_with_the_lease(chat: Chat) -> None:
    appended = appended_to(chat)
    await chat.say("One")
    assert appended == ["user", "assistant"]
    await chat.say("Two")
    await chat.say("Three")
    assert appended == ["user", "assistant", "assistant", "assistant"]
    assert [text for _, text, answered in await chat.texts() if answered] == [
        *("One", "Hello!", "Two", "Hello!", "Three", "Hello!")
    ]


async def test_first_message_of_a_turn_that_fails_stays_unanswered(chat: Chat) -> None:
    await chat.say("One")
    for _ in range(2):
        with pytest.raises(ProviderError):
            await chat.say("Two", answer=(FAILURE,))
        assert (await chat.texts())[2:] == [(USER, "Two", False)]
    assert await chat.say("Two") == ["One", "Hello!", "Two"]
    assert (await chat.texts())[2:] == [(USER, "Two", True), (ASSISTANT, "Hello!", True)]


async def test_conversation_that_another_process_deleted_starts_again(chat: Chat) -> None:
    await chat.say("One")
    await chat.stored.repo.delete(ConversationSelection(instance=chat.instance.id), limit=100)
    assert await chat.say("Two") == ["Two"]
    assert await chat.texts() == [(USER, "Two", True), (ASSISTANT, "Hello!", True)]
    assert await chat.say("Three") == ["Two", "Hello!", "Three"]


async def test_conversation_that_another_process_started_again_is_continued(chat: Chat) -> None:
    await chat.say("One")
    await chat.stored.repo.delete(ConversationSelection(instance=chat.instance.id), limit=100)
    here, chat.stored.turns = chat.stored.turns, chat.stored.process("another")
    await chat.say("Two")
    chat.stored.turns = here
    assert await chat.say("Three") == ["Two", "Hello!", "Three"]
    assert await chat.say("Four") == ["Two", "Hello!", "Three", "Hello!", "Four"]


async def test_data_key_that_was_wrapped_again_is_read_anew(chat: Chat) -> None:
    """Other processes rotate the master key; the one that a remembered data key is wrapped by can be gone."""
    await chat.say("One")
    (history,) = await chat.stored.histories(chat.instance.id)
    chat.stored.turns.known.remember(msgspec.structs.replace(history.conversation, data_key="v1.gone"))
    appended = appended_to(chat)
    assert await chat.say("Two") == ["One", "Hello!", "Two"]
    assert await chat.say("Three") == ["One", "Hello!", "Two", "Hello!", "Three"]
    assert appended == ["user", "assistant", "assistant"]


async def test_waiting_turn_writes_its_message_once_it_holds_the_lane(chat: Chat) -> None:
    await chat.say("One")
    gate = asyncio.Event()
    chat.supervisor.plays(TextDelta("Late"), gate, TURN_FINISHED)
    first = asyncio.create_task(events_of(chat.run("Two")))
    await chat.supervisor.runs()
    here, chat.stored.turns = chat.stored.turns, chat.stored.process("another")
    other = asyncio.create_task(chat.say("Three", answer=says("Third")))
    await asyncio.sleep(0.02)
    chat.stored.turns = here
    chat.supervisor.plays(*says("Fourth"))
    waiting = asyncio.create_task(events_of(chat.run("Four")))
    await asyncio.sleep(0.02)
    assert [text for _, text, _ in await chat.texts()] == ["One", "Hello!", "Two"]
    chat.clock.advance(1)
    gate.set()
    await asyncio.gather(first, other, waiting)
    texts = [text for _, text, answered in await chat.texts() if answered]
    assert texts[:4] == ["One", "Hello!", "Two", "Late"]
    (history,) = await chat.stored.histories(chat.instance.id)
    times = [message.at for message in history.messages]
    assert times == sorted(times), "a message has the time at which its turn began"
    assert sorted(texts[4::2]) == ["Four", "Three"]


async def test_deleted_conversation_keeps_no_image_of_the_turn_that_starts_it_again(chat: Chat) -> None:
    await chat.say("One")
    delete_once_read(chat)
    await chat.say(UserMessage((TextPart("Look: "), picture(1))))
    (history,) = await chat.stored.histories(chat.instance.id)
    assert [item.conversation for item in await all_of(chat.stored.media_store)] == [history.conversation.id]


async def test_conversation_deleted_during_its_turn_keeps_nothing(chat: Chat) -> None:
    gate = asyncio.Event()
    chat.supervisor.plays(TextDelta("Hi"), gate, TURN_FINISHED)
    turn = asyncio.create_task(events_of(chat.run("One")))
    await chat.supervisor.runs()
    await chat.stored.repo.delete(ConversationSelection(instance=chat.instance.id), limit=100)
    gate.set()
    with pytest.raises(UnknownConversationError):
        await turn
    assert await chat.stored.histories(chat.instance.id) == []


async def test_turn_of_a_deleted_instance_starts_no_conversation(chat: Chat) -> None:
    """A worker knows an instance for up to a second longer."""
    chat.stored.memory.instances.remove(chat.instance.slug)
    with pytest.raises(UnknownModelError):
        await chat.say("One")
    chat.stored.memory.instances.put(InstanceFactory.build(slug=chat.instance.slug))
    with pytest.raises(UnknownModelError):
        await chat.say("One")
    assert await chat.stored.histories(chat.instance.id) == []
    assert chat.supervisor.turns == []


async def test_turn_that_began_before_its_instance_was_deleted_leaves_nothing(chat: Chat) -> None:
    await chat.say("One")
    chat.stored.memory.instances.remove(chat.instance.slug)
    assert await chat.say("Two") == ["One", "Hello!", "Two"]
    await chat.stored.removal.delete(ConversationSelection(instance=chat.instance.id))
    with pytest.raises(UnknownModelError):
        await chat.say("Three")
    assert await chat.stored.histories(chat.instance.id) == []


async def test_tools_and_the_final_text_are_stored(chat: Chat) -> None:
    await chat.say("One", answer=(TextDelta("Let me see"), TOOL_STARTED, TOOL_FINISHED, *says("42")))
    (history,) = await chat.stored.histories(chat.instance.id)
    assert (await chat.texts())[1] == (ASSISTANT, "42", True)
    assert [message.tools for message in history.messages] == [(), ("calculate",)]
    assert history.messages[0].turn == history.messages[1].turn
    assert all(message.tokens > 0 for message in history.messages)


async def test_empty_answer_does_not_go_up_again(chat: Chat) -> None:
    await chat.say("One", answer=(TURN_FINISHED,))
    assert await chat.say("Two") == ["One", "Two"]
    assert await chat.say("Three") == ["One\n\nTwo", "Hello!", "Three"]


async def test_texts_that_do_not_go_up_are_not_read(chat: Chat) -> None:
    """A caller can store a hundred messages of megabytes each."""
    chat.instance = msgspec.structs.replace(chat.instance, history_tokens=1_000)
    found: list[CurrentConversation | None] = []
    current = chat.stored.repo.current

    async def recorded(*args: object, **options: object) -> CurrentConversation | None:
        found.append(await current(*args, **options))  # type: ignore[arg-type]
        return found[-1]

    chat.stored.repo.current = recorded  # type: ignore[method-assign]
    await chat.say("One")
    await chat.say("x" * 100_000)
    assert await chat.say("Three") == ["Three"]
    assert await chat.say("Four") == ["Three", "Hello!", "Four"]
    read = [[len(message.text) for message in each.messages] for each in found if each is not None]
    assert [len(sizes) for sizes in read] == [2, 4, 6]
    assert sum(read[-1]) < 1_000


async def test_history_is_bounded_by_the_budgets_of_the_instance(chat: Chat) -> None:
    chat.instance = msgspec.structs.replace(chat.instance, history_messages=4)
    for number in range(3):
        await chat.say(f"Question {number}")
    assert await chat.say("Question 3") == ["Question 1", "Hello!", "Question 2", "Hello!", "Question 3"]
    chat.instance = msgspec.structs.replace(chat.instance, history_messages=100, history_tokens=100)
    await chat.say("long " * 60)
    assert await chat.say("Last") == ["long " * 60, "Hello!", "Last"]


async def test_image_that_cannot_be_used_is_refused_before_anything_is_stored(chat: Chat) -> None:
    with pytest.raises(InvalidInputError):
        await chat.say(UserMessage((TextPart("Look: "), ImageLink(url="data:image/png;base64,AAAA"))))
    assert await chat.stored.histories(chat.instance.id) == []
    assert await all_of(chat.stored.media_store) == []


def picture_data(number: int) -> bytes:
    return png((b"teSt", b"canary" + bytes((number,))))


PICTURE_BYTES = len(picture_data(0))


def picture(number: int) -> ImageLink:
    data = picture_data(number)
    return ImageLink(url=f"data:image/png;base64,{b64encode(data).decode()}", detail="low")


def images_in(turn: Turn) -> list[ImagePart]:
    messages = [message for message in turn.messages if isinstance(message, UserMessage)]
    return [part for message in messages for part in message.parts if isinstance(part, ImagePart)]


async def test_image_goes_to_the_model_and_stays_there_for_later_questions(chat: Chat) -> None:
    await chat.say(UserMessage((TextPart("Look: "), picture(1))))
    await chat.say("What is on the left?")
    first, second = (images_in(turn) for turn in chat.supervisor.turns)
    assert first == second
    assert [(image.media_type, image.detail) for image in first] == [("image/png", "low")]
    assert b"canary\1" in first[0].data


async def test_stored_images_are_ciphertext_of_their_own_conversation(chat: Chat) -> None:
    for chat_id in ("chat-1", "chat-2"):
        await chat.say(UserMessage((picture(1), picture(2))), chat_id=chat_id)
    items = await all_of(chat.stored.media_store)
    assert len({item.conversation for item in items}) == 2
    assert len({item.address for item in items}) == 4
    assert not any(b"canary" in item.content or b"PNG" in item.content for item in items)
    histories = {history.conversation.id: history for history in await chat.stored.histories(chat.instance.id)}
    (message, _) = histories[items[0].conversation].messages
    assert {item.message for item in items if item.conversation == items[0].conversation} == {message.id}
    stranger = await chat.stored.keys.open(histories[items[-1].conversation].conversation)
    with pytest.raises(UnknownMediaError):
        await chat.stored.media.read(stranger, items[0].address)


async def test_newest_four_images_of_a_conversation_go_up_and_markers_replace_the_rest(chat: Chat) -> None:
    for number in range(5):
        await chat.say(UserMessage((TextPart("Look: "), picture(number))))
    sent = chat.supervisor.turns[-1].messages
    assert isinstance(sent[0], UserMessage)
    assert sent[0].text == "Look: \n\n[An image of this message left out here.]"
    assert len(images_in(chat.supervisor.turns[-1])) == 4


async def test_media_that_a_turn_cannot_hold_leave_markers_instead_of_stopping_the_conversation() -> None:
    chat = Chat(media_bytes=2 * PICTURE_BYTES)
    for number in range(3):
        await chat.say(UserMessage((TextPart("Look: "), picture(number))))
    assert (await chat.say("And?"))[0] == "Look: \n\n[An image of this message left out here.]"
    numbers = [image.data.partition(b"canary")[2][0] for image in images_in(chat.supervisor.turns[-1])]
    assert numbers == [1, 2]
    assert chat.runner.media.held == 0


async def test_images_of_a_waiting_turn_count_among_those_that_turns_hold(chat: Chat) -> None:
    lane = api_lane(await chat.stored.hashes.lane(chat.instance.id, "api", "chat-1"))
    lease = await chat.stored.lanes.acquire(lane, owner="other", seconds=99)
    assert lease is not None
    attempts = attempts_at(chat.stored.lanes)
    turn = asyncio.create_task(events_of(chat.run(UserMessage((picture(1),)))))
    async with asyncio.timeout(PATIENCE):
        while len(attempts) < 2:  # noqa: ASYNC110 - waiting for the lane shows only in its attempts
            await asyncio.sleep(0.001)
    assert chat.runner.media.held == PICTURE_BYTES
    await chat.stored.lanes.release(lease)
    await turn
    assert chat.runner.media.held == 0


async def test_deleted_image_leaves_a_marker(chat: Chat) -> None:
    await chat.say(UserMessage((TextPart("Look: "), picture(1))))
    (item,) = await all_of(chat.stored.media_store)
    await chat.stored.media_store.delete(messages=[item.message])
    assert await chat.say("And?") == ["Look: \n\n[An image of this message left out here.]", "Hello!", "And?"]


async def test_repeated_message_with_its_image_replaces_the_unanswered_one(chat: Chat) -> None:
    message = UserMessage((TextPart("Look: "), picture(1)))
    with pytest.raises(ProviderError):
        await chat.say(message, answer=(FAILURE,))
    await chat.say(message)
    assert [(role, answered) for role, _, answered in await chat.texts()] == [(USER, True), (ASSISTANT, True)]


async def test_store_holds_no_plaintext(chat: Chat) -> None:
    await chat.say("Secret-Question", chat_id="Secret-Chat", user="Secret-User", answer=says("Secret-Answer"))
    stored = repr(vars(chat.stored.memory.conversations)) + repr(await chat.stored.histories(chat.instance.id))
    assert "Secret" not in stored
