"""The contract of the port ConversationRepo."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from polyant.domain.conversations import (
    ConversationFilter,
    ConversationId,
    ConversationSelection,
    HistoryPiece,
    LaneId,
    Message,
    MessageId,
    MessageRole,
    StoredText,
    TurnId,
)
from polyant.domain.errors import StorageUnavailableError, UnknownConversationError
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.testing.contract import proves
from polyant.testing.conversation_appending import ConversationAppendingContract
from polyant.testing.conversation_deletion import ConversationDeletionContract
from polyant.testing.conversation_fencing import ConversationFencingContract
from polyant.testing.conversation_listing import ConversationListingContract
from polyant.testing.conversation_store import (
    BOT,
    LEASE,
    ConversationStoreOutageContract,
    ConversationStoreRig,
    api_lane,
    claimed,
    conversation_of,
    event_of,
    full_message,
    lane_of,
    loaded,
    message_ids,
    messages_of,
    user_message,
)
from polyant.testing.manual_clock import START

_LANE = LaneId("lane-1")
_ID = ConversationId("conversation-1")
_SECOND = timedelta(seconds=1)


def _messages_with(sizes: Sequence[int]) -> list[Message]:
    """Returns different messages with these numbers of tokens."""
    return [
        msgspec.structs.replace(each, tokens=size, digest=each.id)
        for each, size in zip(messages_of(len(sizes)), sizes, strict=True)
    ]


async def _piece(
    rig: ConversationStoreRig, *, after: str | None = None, limit: int, tokens: int
) -> tuple[Message, ...]:
    piece = HistoryPiece(after=None if after is None else MessageId(after), limit=limit, tokens=tokens)
    history = await rig.conversations.show(_ID, piece=piece)
    assert history.conversation == (await rig.conversations.show(_ID, newest=0)).conversation
    return history.messages


class ConversationRepoContract(
    ConversationAppendingContract,
    ConversationFencingContract,
    ConversationListingContract,
    ConversationDeletionContract,
):
    """The tests that every ConversationRepo must pass; subclasses provide the rig."""

    def test_implements_the_port(self, rig: ConversationStoreRig) -> None:
        assert isinstance(rig.conversations, ConversationRepo)

    @proves("Returns the lane's current conversation, or None if it has none.")
    async def test_lane_has_no_conversation_initially(self, rig: ConversationStoreRig) -> None:
        assert await rig.conversations.current(_LANE, newest=9) is None
        await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert await rig.conversations.current(_LANE, newest=9) is None

    @proves("Counts of the given conversation are ignored.")
    @proves(
        "Stores conversations and their messages; texts are ciphertext, and are returned unchanged.",
        "Stores a new conversation, makes it the current one of its lane, and returns it.",
    )
    async def test_started_conversation_is_returned_unchanged(self, rig: ConversationStoreRig) -> None:
        full = conversation_of(
            user="hash", label="é🙂'", channel="fake", client_managed=True, updated_at=START + _SECOND
        )
        assert await rig.conversations.start(msgspec.structs.replace(full, messages=7, unanswered=7)) == full
        history = await rig.conversations.current(_LANE, newest=9)
        assert history is not None
        assert (history.conversation, history.messages) == (full, ())

    @proves(
        "If the lane's current conversation isn't the one that it `replaces` (None: the lane has none), "
        "nothing is stored and the current one is returned.",
    )
    async def test_lane_with_a_conversation_keeps_it(self, rig: ConversationStoreRig) -> None:
        first = await rig.conversations.start(conversation_of())
        assert await rig.conversations.start(conversation_of("conversation-2")) == first
        with pytest.raises(UnknownConversationError):
            await rig.conversations.show(ConversationId("conversation-2"))

    @proves("The replaced conversation stays stored.")
    async def test_new_conversation_replaces_the_current_one(self, rig: ConversationStoreRig) -> None:
        first = await rig.conversations.start(conversation_of())
        second = await rig.conversations.start(conversation_of("conversation-2"), replaces=first.id)
        assert second.id == "conversation-2"
        history = await rig.conversations.current(_LANE, newest=9)
        assert history is not None
        assert history.conversation == second
        assert (await rig.conversations.show(first.id)).conversation == first
        assert await rig.conversations.start(conversation_of("conversation-3"), replaces=first.id) == second

    @proves("Of concurrent calls for one lane, one stores its conversation.")
    async def test_concurrent_calls_start_one_conversation(self, rig: ConversationStoreRig) -> None:
        drafts = [conversation_of(f"conversation-{number}") for number in range(10)]
        started = await asyncio.gather(*(rig.conversations.start(draft) for draft in drafts))
        assert len({each.id for each in started}) == 1
        page = await rig.conversations.list(ConversationFilter(instance=BOT), limit=99)
        assert [each.id for each in page.conversations] == [started[0].id]

    @proves("Of concurrent calls for one lane, one stores its conversation.")
    async def test_concurrent_calls_replace_a_conversation_once(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        drafts = [conversation_of(f"new-{number}") for number in range(10)]
        started = await asyncio.gather(*(rig.conversations.start(draft, replaces=_ID) for draft in drafts))
        assert len({each.id for each in started}) == 1
        page = await rig.conversations.list(ConversationFilter(instance=BOT), limit=99)
        assert [each.id for each in page.conversations] == [_ID, started[0].id]

    @proves("A lane without a current conversation gets the new one, whatever it `replaces`.")
    async def test_deleted_conversation_can_be_replaced(self, rig: ConversationStoreRig) -> None:
        """The lane is unknown again, or known because somebody holds it."""
        for is_held in (False, True):
            await rig.conversations.start(conversation_of())
            if is_held:
                await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
            await rig.conversations.delete(ConversationSelection(instance=BOT), limit=9)
            draft = conversation_of("conversation-2")
            assert await rig.conversations.start(draft, replaces=_ID) == draft
            found = await rig.conversations.current(_LANE, newest=9)
            assert found is not None
            assert found.conversation == draft
            await rig.conversations.delete(ConversationSelection(instance=BOT), limit=9)

    @proves("The lane is created if it doesn't exist; a known one keeps its description and its lease.")
    async def test_lane_of_a_conversation_is_created_or_kept(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        created = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert created is not None
        assert (created.epoch, created.conversation) == (1, _ID)
        known = lane_of("lane-2", user="hash")
        work = await loaded(rig, event_of(lane=known))
        await rig.conversations.start(conversation_of("conversation-2", "lane-2", channel="fake"))
        await rig.lanes.renew(work.lease, seconds=LEASE)
        await rig.lanes.release(work.lease, again=True)
        lease = await claimed(rig)
        assert (lease.lane, lease.epoch, lease.conversation) == (known, 2, "conversation-2")

    @proves("Returns a conversation with its newest messages, answered or not, oldest first; with None, with all.")
    @proves("Stores conversations and their messages; texts are ciphertext, and are returned unchanged.")
    async def test_appended_messages_are_returned_unchanged(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        full = full_message("a-1", role=MessageRole.ASSISTANT)
        await rig.conversations.append(_ID, [user_message(answered=False), full])
        history = await rig.conversations.show(_ID)
        assert history.messages == (user_message(answered=False), full)
        assert (history.conversation.messages, history.conversation.unanswered) == (2, 1)
        assert history.conversation.updated_at == full.at

    @proves(
        "With `tokens`, the text of a message that has more tokens is empty, so that a turn reads no long texts that "
        "don't go to the model.",
    )
    @pytest.mark.parametrize("newest", [9, 6, 2, 0])
    async def test_current_has_no_texts_with_too_many_tokens(self, rig: ConversationStoreRig, newest: int) -> None:
        await rig.conversations.start(conversation_of())
        sizes = (1, 2**40, 3, 0, 5, 4)
        messages = [
            msgspec.structs.replace(each, tokens=size) for each, size in zip(messages_of(6), sizes, strict=True)
        ]
        unanswered = user_message("m-x", answered=False, tokens=2**40)
        await rig.conversations.append(_ID, [*messages[:5], unanswered, messages[5]])
        for tokens in (None, 2**40, 2**40 - 1, 5, 4, 0):
            found = await rig.conversations.current(_LANE, newest=newest, tokens=tokens)
            assert found is not None
            expected = [
                (each.id, "" if tokens is not None and each.tokens > tokens else each.text, each.tokens)
                for each in messages[max(0, 6 - newest) :]
            ]
            assert [(each.id, each.text, each.tokens) for each in found.messages] == expected

    @proves("The messages are the newest answered ones, at most `newest`, oldest first; with 0, none is returned.")
    async def test_current_returns_the_newest_answered_messages(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        first, second, third, fourth = messages_of(4)
        await rig.conversations.append(_ID, [first, second])
        await rig.conversations.append(_ID, [msgspec.structs.replace(third, answered=False), fourth])
        for newest, expected in ((0, ()), (1, (fourth,)), (2, (second, fourth)), (9, (first, second, fourth))):
            history = await rig.conversations.current(_LANE, newest=newest)
            assert history is not None
            assert history.messages == tuple(
                StoredText(each.id, each.role, each.text, each.tokens) for each in expected
            )

    @proves("With `tokens`, there are as many messages as have that many tokens together, but the newest in any case.")
    async def test_shown_messages_have_a_bounded_number_of_tokens(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.append(_ID, _messages_with((2, 9, 0, 3, 4, 0)))
        for newest, tokens, expected in (
            *((None, 18, 6), (None, 17, 5), (None, 15, 4), (None, 7, 4), (None, 6, 2), (None, 4, 2), (None, 3, 1)),
            *((None, 0, 1), (9, 7, 4), (2, 7, 2), (1, 0, 1), (0, 99, 0)),
        ):
            history = await rig.conversations.show(_ID, newest=newest, tokens=tokens)
            assert [each.id for each in history.messages] == [f"m-{number}" for number in range(7 - expected, 7)]
            assert history.conversation.messages == 6

    @proves(
        "With a `piece`, they are the messages of that piece instead: repeated calls read a whole conversation in "
        "pieces of bounded size.",
    )
    async def test_conversation_is_read_in_pieces(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of("conversation-2", "lane-2"))
        await rig.conversations.append(ConversationId("conversation-2"), [user_message("m-x")])
        await rig.conversations.start(conversation_of())
        assert await _piece(rig, limit=9, tokens=99) == ()
        messages = _messages_with((2, 9, 0, 3, 4, 0))
        messages[3] = msgspec.structs.replace(messages[3], answered=False)
        for message in messages:
            await rig.conversations.append(_ID, [message])
        for limit, tokens, expected in (
            *((9, 18, [6]), (4, 18, [4, 2]), (9, 10, [1, 2, 3]), (9, 11, [3, 3]), (1, 99, [1] * 6)),
            *((9, 0, [1] * 6), (2, 3, [1, 1, 2, 1, 1])),
        ):
            pieces: list[tuple[Message, ...]] = []
            while piece := await _piece(rig, after=pieces[-1][-1].id if pieces else None, limit=limit, tokens=tokens):
                pieces.append(piece)
            assert [message for piece in pieces for message in piece] == messages
            assert [len(piece) for piece in pieces] == expected, (limit, tokens)

    @proves("UnknownConversationError: The conversation doesn't exist, or doesn't have the message before the piece.")
    async def test_message_of_another_conversation_is_unknown(self, rig: ConversationStoreRig) -> None:
        with pytest.raises(UnknownConversationError):
            await _piece(rig, limit=9, tokens=99)
        await rig.conversations.start(conversation_of())
        other = conversation_of("conversation-2", "lane-2")
        await rig.conversations.start(other)
        await rig.conversations.append(other.id, [user_message("m-x")])
        for after in ("m-x", "m-y"):
            with pytest.raises(UnknownConversationError):
                await _piece(rig, after=MessageId(after), limit=9, tokens=99)

    @proves("Returns a conversation with its newest messages, answered or not, oldest first; with None, with all.")
    @proves("Messages are ordered by when they were stored, and those of one call by their order in it.")
    async def test_order_is_that_of_storing_not_of_time(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        names = [f"m-{number}" for number in (3, 1, 2, 9, 5)]
        for name, seconds in zip(names, (5, 1, 9, 0, 3), strict=True):
            await rig.conversations.append(_ID, [user_message(name, at=START + seconds * _SECOND)])
        assert await message_ids(rig) == names
        assert await message_ids(rig, newest=2) == names[-2:]
        assert await message_ids(rig, newest=0) == []
        together = [user_message(f"m-{number}", at=START + at * _SECOND) for number, at in ((8, 9), (4, 2), (6, 5))]
        await rig.conversations.append(_ID, together)
        assert await message_ids(rig, newest=4) == ["m-5", "m-8", "m-4", "m-6"]

    @proves("Stores conversations and their messages; texts are ciphertext, and are returned unchanged.")
    async def test_ids_that_differ_little_are_told_apart(self, rig: ConversationStoreRig) -> None:
        """In case, or in the last of 64 characters."""
        for last in "aAb":
            draft = conversation_of("C" * 63 + last, "L" * 63 + last, user="U" * 63 + last)
            assert await rig.conversations.start(draft) == draft
            await rig.conversations.append(draft.id, [user_message("M" * 63 + last, turn=TurnId("T" * 63 + last))])
        for last in "aAb":
            assert await message_ids(rig, "C" * 63 + last) == ["M" * 63 + last]
            found = await rig.conversations.current(LaneId("L" * 63 + last), newest=9)
            assert found is not None
            assert found.conversation.id == "C" * 63 + last
            for query in ({"user": "U" * 63 + last}, {"text": "C" * 63 + last}, {"text": "T" * 63 + last}):
                page = await rig.conversations.list(ConversationFilter(instance=BOT, **query), limit=9)  # type: ignore[arg-type]
                assert page.conversations == (found.conversation,)

    @proves("Returns a conversation with its newest messages, answered or not, oldest first; with None, with all.")
    async def test_long_conversation_is_returned_whole(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        messages = messages_of(1_001)
        await rig.conversations.append(_ID, messages)
        assert await message_ids(rig) == [each.id for each in messages]
        found = await rig.conversations.current(_LANE, newest=1_001)
        assert found is not None
        assert [each.id for each in found.messages] == [each.id for each in messages]

    @proves(
        "With a `piece`, they are the messages of that piece instead: repeated calls read a whole conversation in "
        "pieces of bounded size.",
        "With `tokens`, there are as many messages as have that many tokens together, but the newest in any case.",
    )
    async def test_pieces_of_a_long_conversation(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        messages = _messages_with([1] * 1_001)
        await rig.conversations.append(_ID, messages)
        for limit, tokens, count in ((2_000, 2_000, 1_001), (500, 2_000, 500), (2_000, 123, 123), (85, 84, 84)):
            piece = await _piece(rig, limit=limit, tokens=tokens)
            assert piece == tuple(messages[:count])
            following = await _piece(rig, after=piece[-1].id, limit=limit, tokens=tokens)
            assert following == tuple(messages[count : 2 * count])
            shown = (await rig.conversations.show(_ID, newest=limit, tokens=tokens)).messages
            assert shown == tuple(messages[-count:])


class ConversationRepoOutageContract(ConversationStoreOutageContract):
    """The additional tests for a ConversationRepo whose store can fail; subclasses provide the rig."""

    @proves("Every method raises `StorageUnavailableError` if the store is unavailable.")
    async def test_conversations_report_unavailable_store(self, unavailable: ConversationStoreRig) -> None:
        conversations = unavailable.conversations
        with pytest.raises(StorageUnavailableError):
            await conversations.current(_LANE, newest=9)
        with pytest.raises(StorageUnavailableError):
            await conversations.start(conversation_of())
        with pytest.raises(StorageUnavailableError):
            await conversations.append(_ID, [user_message()])
        with pytest.raises(StorageUnavailableError):
            await conversations.list(ConversationFilter(instance=BOT), limit=9)
        with pytest.raises(StorageUnavailableError):
            await conversations.show(_ID)
        with pytest.raises(StorageUnavailableError):
            await conversations.show(_ID, piece=HistoryPiece(limit=9, tokens=99))
        with pytest.raises(StorageUnavailableError):
            await conversations.delete(ConversationSelection(instance=BOT), limit=9)
