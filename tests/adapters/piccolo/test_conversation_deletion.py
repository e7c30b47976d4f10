import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.domain.conversations import ConversationId, ConversationSelection
from polyant.testing.conversation_store import (
    BOT,
    assistant_message,
    conversation_of,
    event_of,
    finished,
    lane_of,
    loaded,
    user_message,
)
from polyant.testing.manual_clock import START
from support.conversation_stores import PiccoloConversationStoreRig

CANARY = "canary-"


async def fill(rig: PiccoloConversationStoreRig, *, size: int) -> None:
    """Stores rows of every table in which each value that a caller chose starts with the canary."""
    lane = lane_of(f"{CANARY}lane", user=f"{CANARY}user")
    conversation = conversation_of(
        f"{CANARY}id", f"{CANARY}lane", channel="fake", data_key=f"{CANARY}key", label=f"{CANARY}label"
    )
    await rig.conversations.start(conversation)
    work = await loaded(rig, event_of(f"{CANARY}event", lane, payload=CANARY * size, user=f"{CANARY}user"))
    await finished(
        rig,
        work,
        CANARY * size,
        turn=f"{CANARY}turn",
        conversation=ConversationId(f"{CANARY}id"),
        messages=(
            user_message(f"{CANARY}m", text=CANARY * size, platform_id=f"{CANARY}p"),
            assistant_message(f"{CANARY}a", text=CANARY * size, tools=(f"{CANARY}tool",)),
        ),
    )
    await rig.inbox.receive([event_of(f"{CANARY}event-2", lane, payload=CANARY * size)])
    await rig.lanes.release(work.lease)


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if CANARY.encode() in path.read_bytes()]


@pytest.mark.parametrize("size", [1, 2_000])
async def test_deleted_instance_leaves_nothing_in_the_files(
    sqlite_database: PiccoloDatabase, tmp_path: Path, size: int
) -> None:
    rig = PiccoloConversationStoreRig(sqlite_database)
    await fill(rig, size=size)
    assert left_in(tmp_path)
    assert (await rig.conversations.delete(ConversationSelection(instance=BOT), limit=99)).complete
    assert left_in(tmp_path) == []


async def test_expired_conversation_leaves_only_its_open_work(sqlite_database: PiccoloDatabase, tmp_path: Path) -> None:
    rig = PiccoloConversationStoreRig(sqlite_database)
    await rig.conversations.start(conversation_of(f"{CANARY}id", f"{CANARY}lane", data_key=f"{CANARY}key"))
    await rig.conversations.append(ConversationId(f"{CANARY}id"), [user_message(f"{CANARY}m", text=CANARY * 2_000)])
    assert (await rig.maintenance.expire_messages(START + timedelta(seconds=1), limit=99)).complete
    assert left_in(tmp_path) == []


async def test_readers_do_not_prevent_a_deletion(sqlite_database: PiccoloDatabase, tmp_path: Path) -> None:
    rig = PiccoloConversationStoreRig(sqlite_database)
    await fill(rig, size=1)
    with contextlib.closing(sqlite3.connect(tmp_path / "polyant.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM conversations").fetchall()
        assert (await rig.conversations.delete(ConversationSelection(instance=BOT), limit=99)).complete
