"""The files of SQLite after the deletion of media."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.media_store import PiccoloMediaStore
from polyant.domain.ports.media_store import MediaStore
from polyant.testing.media_store import item

CANARY = b"ciphertext-canary"
ITEM = item(content=CANARY * 10_000)


def files_with_canary(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and CANARY in path.read_bytes()]


@pytest.mark.parametrize(
    "remove",
    [
        lambda store: store.delete(messages=[ITEM.message]),
        lambda store: store.delete(conversations=[ITEM.conversation]),
        lambda store: store.expire(ITEM.at + timedelta(seconds=1), limit=1),
    ],
    ids=["message", "conversation", "retention"],
)
async def test_nothing_is_left_in_the_files(
    sqlite_database: PiccoloDatabase, tmp_path: Path, remove: Callable[[MediaStore], Awaitable[object]]
) -> None:
    store = PiccoloMediaStore(database=sqlite_database)
    await store.put(ITEM)
    await store.put(item("c2", "m2", at=ITEM.at + timedelta(days=1)))
    assert files_with_canary(tmp_path)
    await remove(store)
    assert files_with_canary(tmp_path) == []
