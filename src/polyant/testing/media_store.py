"""The contract of the port MediaStore."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from polyant.domain.conversations import ConversationId, MessageId
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.media.stored import MediaAddress, StoredMedia, UnknownMediaError
from polyant.domain.ports.media_store import MediaStore
from polyant.testing.contract import Contract, proves

_AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
_MOMENT = timedelta(microseconds=1)
_EVERY_BYTE = bytes(range(256)) * 4


def item(conversation: str = "c1", message: str = "m1", address: str = "a" * 64, **fields: object) -> StoredMedia:
    """Returns an item with every possible byte."""
    given = {"conversation": conversation, "message": message, "address": address, "content": _EVERY_BYTE, "at": _AT}
    return msgspec.convert({**given, **fields}, StoredMedia)


async def all_of(store: MediaStore) -> list[StoredMedia]:
    """Returns all items, in a fixed order."""
    return sorted([each async for each in store.export()], key=lambda each: (each.conversation, each.message))


async def _export(store: MediaStore) -> None:
    await all_of(store)


class MediaStoreContract(Contract):
    """The tests that every MediaStore must pass; subclasses provide an empty one."""

    @pytest.fixture
    def media_store(self) -> MediaStore:
        raise NotImplementedError("return an empty MediaStore")

    def test_implements_the_port(self, media_store: MediaStore) -> None:
        assert isinstance(media_store, MediaStore)

    @proves(
        "Stores the images, recordings and documents of messages; contents are ciphertext, and are returned unchanged.",
        "Returns an item of a conversation; if several messages have one at that address, any of them.",
    )
    @pytest.mark.parametrize(
        "content", [_EVERY_BYTE, b"", b"\n", b"\0" * 3_000_000], ids=["all", "none", "\\n", "large"]
    )
    async def test_item_is_returned_unchanged(self, media_store: MediaStore, content: bytes) -> None:
        stored = item(content=content, at=_AT + _MOMENT)
        await media_store.put(stored)
        assert await media_store.get(stored.conversation, stored.address) == stored

    async def test_time_keeps_its_moment_in_any_time_zone(self, media_store: MediaStore) -> None:
        await media_store.put(item(at=_AT.astimezone(timezone(timedelta(hours=5)))))
        (found,) = await all_of(media_store)
        assert found.at == _AT

    @proves("Yields every item, one in memory at a time, in any order; for backups.")
    @proves("An item belongs to one message of one conversation; equal items of other messages are stored separately.")
    async def test_equal_items_of_messages_are_separate(self, media_store: MediaStore) -> None:
        for message in ("m1", "m2"):
            await media_store.put(item(message=message))
        await media_store.put(item("c2", "m3"))
        await media_store.delete(messages=[MessageId("m1")])
        assert (await media_store.get(ConversationId("c1"), MediaAddress("a" * 64))).message == "m2"
        await media_store.delete(messages=[MessageId("m2")])
        with pytest.raises(UnknownMediaError):
            await media_store.get(ConversationId("c1"), MediaAddress("a" * 64))
        assert [each.message for each in await all_of(media_store)] == ["m3"]

    @proves("An item that its message already has is left as it is.")
    async def test_storing_an_item_again_changes_nothing(self, media_store: MediaStore) -> None:
        await media_store.put(item())
        await media_store.put(item(content=b"other", at=_AT + _MOMENT))
        assert await all_of(media_store) == [item()]

    @proves("UnknownMediaError: The conversation has no such item.")
    @pytest.mark.parametrize("conversation", ["c2", "", "../c1", "c1/..", "c\0", "%", "C1", "🐜" * 64], ids=range(8))
    async def test_other_conversations_have_no_such_item(self, media_store: MediaStore, conversation: str) -> None:
        await media_store.put(item())
        with pytest.raises(UnknownMediaError, match="Unknown media"):
            await media_store.get(ConversationId(conversation), MediaAddress("a" * 64))
        with pytest.raises(UnknownMediaError):
            await media_store.get(ConversationId("c1"), MediaAddress("b" * 64))

    @pytest.mark.parametrize("name", ["..", "a/b", "🐜" * 64, " ", "%2e"], ids=range(5))
    async def test_ids_can_contain_any_characters(self, media_store: MediaStore, name: str) -> None:
        odd = item(name, name)
        await media_store.put(odd)
        await media_store.put(item())
        assert await media_store.get(odd.conversation, odd.address) == odd
        await media_store.delete(messages=[odd.message])
        assert await all_of(media_store) == [item()]

    @proves("Deletes all items of these messages and of these conversations; unknown ids delete nothing.")
    async def test_items_of_a_message_are_deleted_together(self, media_store: MediaStore) -> None:
        for address in ("a" * 64, "b" * 64):
            await media_store.put(item(address=address))
        await media_store.put(item(message="m2"))
        await media_store.delete(messages=[MessageId("m1"), MessageId("unknown")])
        assert await all_of(media_store) == [item(message="m2")]

    @proves("Deletes all items of these messages and of these conversations; unknown ids delete nothing.")
    async def test_items_of_a_conversation_are_deleted_together(self, media_store: MediaStore) -> None:
        for message in ("m1", "m2"):
            await media_store.put(item(message=message))
        await media_store.put(item("c2", "m3"))
        await media_store.delete(conversations=[ConversationId("c1"), ConversationId("unknown")])
        assert await all_of(media_store) == [item("c2", "m3")]
        await media_store.put(item())  # a deleted conversation's place can be used again
        assert len(await all_of(media_store)) == 2

    @proves("Deletes all items of these messages and of these conversations; unknown ids delete nothing.")
    async def test_several_messages_and_conversations_are_deleted_at_once(self, media_store: MediaStore) -> None:
        places = [("c1", "m1"), ("c1", "m2"), ("c1", "m3"), ("c2", "m4"), ("c3", "m5"), ("c3", "m6")]
        for conversation, message in places:
            await media_store.put(item(conversation, message))
        messages, conversations = map(MessageId, ("m1", "m3")), map(ConversationId, ("c2", "c3"))
        await media_store.delete(messages=list(messages), conversations=list(conversations))
        assert await all_of(media_store) == [item("c1", "m2")]

    @proves("Deletes all items of these messages and of these conversations; unknown ids delete nothing.")
    async def test_deleting_nothing_deletes_nothing(self, media_store: MediaStore) -> None:
        await media_store.put(item())
        await media_store.delete()
        await media_store.delete(messages=[], conversations=[])
        assert await all_of(media_store) == [item()]

    @proves("It also deletes items whose message was never stored.")
    @proves("Deletes items whose time is before another, at most `limit`; returns False if more is left.")
    async def test_items_expire_by_their_time_in_batches(self, media_store: MediaStore) -> None:
        for number in range(5):
            await media_store.put(item(message=f"m{number}", at=_AT + number * _MOMENT))
        due = _AT + 3 * _MOMENT
        assert not await media_store.expire(due, limit=2)
        assert len(await all_of(media_store)) == 3
        assert await media_store.expire(due, limit=2)
        assert [each.message for each in await all_of(media_store)] == ["m3", "m4"]
        assert await media_store.expire(due, limit=2)

    @proves("Calls may overlap.")
    async def test_concurrent_calls_store_each_item_once(self, media_store: MediaStore) -> None:
        items = [item(message=f"m{number}") for number in range(8)] * 2
        await asyncio.gather(*map(media_store.put, items))
        assert len(await all_of(media_store)) == 8

    def test_repr_hides_the_content(self) -> None:
        assert "canary" not in repr(item(content=b"canary"))


class MediaStoreOutageContract(Contract):
    """The additional tests for a MediaStore whose store can fail; subclasses provide an unavailable one."""

    @pytest.fixture
    def unavailable(self) -> MediaStore:
        raise NotImplementedError("return a MediaStore whose store is unavailable")

    @proves("Every method raises StorageUnavailableError if the store is unavailable, and can be repeated.")
    @pytest.mark.parametrize(
        "operation",
        [
            lambda store: store.put(item()),
            lambda store: store.get(ConversationId("c1"), MediaAddress("a" * 64)),
            lambda store: store.delete(messages=[MessageId("m1")]),
            lambda store: store.expire(_AT, limit=10),
            _export,
        ],
        ids=["put", "get", "delete", "expire", "export"],
    )
    async def test_each_method_reports_unavailable_store(
        self, unavailable: MediaStore, operation: Callable[[MediaStore], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await operation(unavailable)
