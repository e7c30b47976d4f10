"""The contract of ConversationRepo.list."""

from datetime import timedelta, timezone

from polyant.domain.conversations import ConversationFilter, ConversationId, TurnId
from polyant.testing.contract import proves
from polyant.testing.conversation_store import (
    BOT,
    OTHER_BOT,
    ConversationStoreContract,
    ConversationStoreRig,
    assistant_message,
    conversation_of,
    user_message,
)
from polyant.testing.manual_clock import START

_SECOND = timedelta(seconds=1)
_MOMENT = timedelta(microseconds=1)


async def _found(rig: ConversationStoreRig, **fields: object) -> list[str]:
    query = ConversationFilter(instance=BOT, **fields)  # type: ignore[arg-type]
    page = await rig.conversations.list(query, limit=9)
    assert page.total == len(page.conversations)
    return [each.id for each in page.conversations]


class ConversationListingContract(ConversationStoreContract):
    """The tests of lists that every ConversationRepo must pass; subclasses provide the rig."""

    @proves(
        "Returns the conversations that match, the latest updated first, then by id; `total` ignores the page.",
    )
    async def test_list_orders_by_update_and_pages(self, rig: ConversationStoreRig) -> None:
        for number, seconds in enumerate((1, 3, 2, 3)):
            await rig.conversations.start(
                conversation_of(f"c-{number}", f"lane-{number}", updated_at=START + seconds * _SECOND)
            )
        await rig.conversations.start(conversation_of("other", "lane-9", instance=OTHER_BOT))
        query, ids = ConversationFilter(instance=BOT), ["c-1", "c-3", "c-2", "c-0"]
        for limit, offset in ((9, 0), (2, 1), (1, 0), (1, 1), (9, 3), (0, 0), (9, 4)):
            page = await rig.conversations.list(query, limit=limit, offset=offset)
            assert ([each.id for each in page.conversations], page.total) == (ids[offset : offset + limit], 4)

    @proves(
        "Returns the conversations that match, the latest updated first, then by id; `total` ignores the page.",
    )
    async def test_list_applies_each_condition(self, rig: ConversationStoreRig) -> None:
        await self._start_two(rig)
        assert await _found(rig, channel="fake") == await _found(rig, user="hash") == ["c-1"]
        assert await _found(rig, channel="api") == ["c-2"]
        assert await _found(rig, channel="api", user="hash") == []
        assert await _found(rig, unanswered=True) == ["c-2"]
        assert await _found(rig, unanswered=False) == ["c-1"]
        for hours in (0, 9):
            at = (START + _SECOND).astimezone(timezone(timedelta(hours=hours)))
            assert await _found(rig, since=at) == ["c-2"]
            assert await _found(rig, until=at) == ["c-1"]
            assert await _found(rig, since=at + _MOMENT) == []
            assert await _found(rig, until=at + _MOMENT) == ["c-2", "c-1"]

    @proves(
        "Returns the conversations that match, the latest updated first, then by id; `total` ignores the page.",
    )
    async def test_list_finds_texts_literally(self, rig: ConversationStoreRig) -> None:
        await self._start_two(rig)
        assert await _found(rig, text="c-") == ["c-2", "c-1"]
        for text in ("c-2", "turn-9", "http_request", "calculate"):
            assert await _found(rig, text=text) == ["c-2"]
        for text in ("-2", "turn", "http", "calculat_", "%", "_-2", "ciphertext", "a\0b", 'calculate","http_request'):
            assert await _found(rig, text=text) == []
        assert await _found(rig, channel="a\0b") == await _found(rig, user="\0") == []
        for text in ("C-2", "TURN-9", "Calculate"):
            assert await _found(rig, text=text) == []

    @proves(
        "Returns the conversations that match, the latest updated first, then by id; `total` ignores the page.",
    )
    async def test_list_has_current_counts(self, rig: ConversationStoreRig) -> None:
        await self._start_two(rig)
        page = await rig.conversations.list(ConversationFilter(instance=BOT), limit=9)
        assert page.conversations == tuple(
            [(await rig.conversations.show(each.id)).conversation for each in page.conversations]
        )
        assert [(each.messages, each.unanswered) for each in page.conversations] == [(2, 1), (0, 0)]

    async def _start_two(self, rig: ConversationStoreRig) -> None:
        """Starts two conversations of an instance, and one of another, which would match each condition."""
        tools = ("calculate", "http_request")
        await rig.conversations.start(conversation_of("c-1", "lane-1", channel="fake", user="hash"))
        await rig.conversations.start(conversation_of("c-2", "lane-2", updated_at=START + _SECOND))
        await rig.conversations.append(
            ConversationId("c-2"),
            [user_message("m-1", answered=False), assistant_message(turn=TurnId("turn-9"), tools=tools)],
        )
        await rig.conversations.start(
            conversation_of(
                "c-3", "lane-3", instance=OTHER_BOT, channel="fake", user="hash", updated_at=START + _SECOND
            )
        )
        await rig.conversations.append(
            ConversationId("c-3"), [user_message("m-3", answered=False, turn=TurnId("turn-3"), tools=tools)]
        )
