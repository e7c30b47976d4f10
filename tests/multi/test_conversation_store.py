"""Processes that share one conversation store, one of which is killed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.domain.conversations import ConversationId
from polyant.domain.lane_work import DeliveryState, EventFilter, EventState
from polyant.testing.conversation_store import (
    LEASE,
    claimed,
    conversation_of,
    event_of,
    finished,
    lane_of,
    loaded,
    names_of,
)
from support.conversation_stores import PiccoloConversationStoreRig
from support.process import Server, starting

# Another process works on the store up to a point, reports it, and then waits to be killed.
PROGRAM = """
import asyncio, sys
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.domain.conversations import ConversationId
from polyant.testing.conversation_store import *
from support.conversation_stores import PiccoloConversationStoreRig

async def main():
    async with PiccoloDatabase(sys.argv[1]) as database:
        rig = PiccoloConversationStoreRig(database)
        point = sys.argv[2]
        if point == "received":
            await rig.inbox.receive([event_of()])
        else:
            work = await rig.inbox.load(await claimed(rig, "other"), limit=20)
        if point == "finished":
            messages = (user_message(), assistant_message())
            await finished(rig, work, "chunk", conversation=ConversationId("conversation-1"), messages=messages)
        print("reached", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def rig(database: PiccoloDatabase) -> PiccoloConversationStoreRig:
    return PiccoloConversationStoreRig(database)


@contextmanager
def stopped_at(folder: Path, url: str, point: str) -> Iterator[Server]:
    """Yields a process that has reached the point."""
    command = (sys.executable, "-c", PROGRAM, url, point)
    path = ":".join(str(Path(__file__).parents[1] / part) for part in (".", "../src"))
    with starting(folder, command, PYTHONPATH=path) as process:
        process.stdout.wait_for("reached\n")
        yield process
        process.kill()


async def test_received_event_survives_its_process(
    rig: PiccoloConversationStoreRig, database_url: str, tmp_path: Path
) -> None:
    with stopped_at(tmp_path, database_url, "received"):
        pass
    assert names_of(await rig.inbox.load(await claimed(rig), limit=20)) == ["e-1"]
    assert await rig.inbox.receive([event_of()]) == (False,)


async def test_lane_of_a_killed_process_is_taken_over_when_its_lease_ends(
    rig: PiccoloConversationStoreRig, database_url: str, tmp_path: Path
) -> None:
    await rig.inbox.receive([event_of()])
    with stopped_at(tmp_path, database_url, "loaded"):
        assert await rig.lanes.claim(owner="worker-1", seconds=LEASE) is None
        assert await rig.lanes.acquire(lane_of(), owner="worker-1", seconds=LEASE) is None
    assert await rig.lanes.claim(owner="worker-1", seconds=LEASE) is None
    await rig.advance(LEASE + 1)
    work = await rig.inbox.load(await claimed(rig), limit=20)
    assert [event.attempts for event in work.events] == [2]


async def test_committed_turn_of_a_killed_process_is_not_run_again(
    rig: PiccoloConversationStoreRig, database_url: str, tmp_path: Path
) -> None:
    await rig.conversations.start(conversation_of(channel="fake"))
    await rig.inbox.receive([event_of()])
    with stopped_at(tmp_path, database_url, "finished"):
        pass
    await rig.advance(LEASE + 1)
    work = await rig.inbox.load(await claimed(rig), limit=20)
    assert [(each.text, each.state) for each in work.deliveries] == [("chunk", DeliveryState.SENDING)]
    assert work.events == ()
    assert await rig.outbox.start(work.lease, work.deliveries[0].id, seconds=LEASE, ambiguous=True)
    page = await rig.inbox.list(EventFilter(), limit=9)
    assert [event.state for event in page.events] == [EventState.ANSWERED]
    assert len((await rig.conversations.show(ConversationId("conversation-1"))).messages) == 2


async def test_event_that_arrives_in_another_process_wakes_a_released_lane(
    rig: PiccoloConversationStoreRig, database_url: str, tmp_path: Path
) -> None:
    work = await loaded(rig, event_of("e-0"))
    await finished(rig, work)
    with stopped_at(tmp_path, database_url, "received"):
        await rig.lanes.release(work.lease)
    assert names_of(await rig.inbox.load(await claimed(rig), limit=20)) == ["e-1"]
