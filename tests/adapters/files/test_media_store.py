"""The files that the adapter `folder` leaves behind."""

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyant.adapters.files.media_store import FolderMediaStore
from polyant.domain.conversations import ConversationId, MessageId
from polyant.domain.media.stored import MediaFolder
from polyant.testing.media_store import all_of, item

CONTENT = b"ciphertext-canary"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def store(folder: Path) -> FolderMediaStore:
    return FolderMediaStore(folder=MediaFolder(folder))


def files_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


async def test_files_are_readable_for_their_owner_only_and_have_no_ids_in_their_names(
    store: FolderMediaStore, folder: Path
) -> None:
    await store.put(item("conversation-canary", "message-canary", content=CONTENT))
    (file,) = files_in(folder)
    assert "canary" not in str(file.relative_to(folder))
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file.parent, file)] == [0o700, 0o700, 0o600]


async def test_nothing_is_left_of_what_was_deleted(store: FolderMediaStore, folder: Path) -> None:
    await store.put(item("c1", "m1", content=CONTENT))
    await store.put(item("c2", "m2", content=CONTENT))
    await store.delete(messages=[MessageId("m1")])
    await store.delete(conversations=[ConversationId("c2")])
    assert await asyncio.to_thread(lambda: list(folder.iterdir())) == []


async def test_unfinished_file_of_a_killed_process_is_no_item_and_expires(
    store: FolderMediaStore, folder: Path
) -> None:
    await store.put(item())
    (file,) = files_in(folder)
    await asyncio.to_thread(file.rename, file.with_name(f"{file.name}.0123abcd.tmp"))
    assert await all_of(store) == []
    await store.put(item())
    assert await all_of(store) == [item()]
    await store.delete(messages=[item().message])
    assert list(files_in(folder)) == []
