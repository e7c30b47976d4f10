"""The contract of the port Lanes."""

import asyncio
from itertools import product
from typing import Any

import pytest

from polyant.domain.conversations import ConversationId, ConversationSelection, TurnId
from polyant.domain.errors import LeaseLostError, StorageUnavailableError
from polyant.domain.history_window import HistoryBudget, window_start
from polyant.domain.lane_work import DeliveryState, SendResult
from polyant.domain.lanes import FirstMessage, LaneKind
from polyant.domain.ports.lanes import Lanes
from polyant.testing.contract import proves
from polyant.testing.conversation_store import (
    BOT,
    LEASE,
    ConversationStoreContract,
    ConversationStoreOutageContract,
    ConversationStoreRig,
    api_lane,
    claimed,
    conversation_of,
    event_of,
    finished,
    full_message,
    ids_of,
    lane_of,
    lease_of,
    loaded,
    message_ids,
    messages_of,
    names_of,
    user_message,
)


class LanesContract(ConversationStoreContract):
    """The tests that every Lanes must pass; subclasses provide the rig."""

    def test_implements_the_port(self, rig: ConversationStoreRig) -> None:
        assert isinstance(rig.lanes, Lanes)

    @proves("A lane is free if nobody holds a lease on it, or if the lease has expired.")
    async def test_free_lane_is_leased_with_what_is_known(self, rig: ConversationStoreRig) -> None:
        lane = api_lane(user="hash")
        lease = await rig.lanes.acquire(lane, owner="worker-1", seconds=LEASE)
        assert lease is not None
        assert (lease.lane, lease.owner, lease.epoch, lease.wake, lease.conversation) == (lane, "worker-1", 1, 0, None)

    @proves("An unknown lane is created; a known one has this description from now on.")
    async def test_lane_has_its_latest_description(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.inbox.receive([event_of(lane=lane_of(user="old"))])
        await rig.inbox.receive([event_of("e-2", lane_of(user="new"))])
        assert (await claimed(rig)).lane == lane_of(user="new")
        for user in ("old", "new"):
            lease = await rig.lanes.acquire(api_lane("lane-2", user=user), owner="worker-1", seconds=LEASE)
            assert lease is not None
            assert lease.lane == api_lane("lane-2", user=user)
            await rig.lanes.release(lease)

    async def test_lease_names_the_current_conversation(self, rig: ConversationStoreRig) -> None:
        conversation = await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert lease is not None
        assert lease.conversation == conversation.id

    @proves(
        "With `newest`, the lease may contain what `ConversationRepo.current` returns for it and `tokens`; a store "
        "that would have to wait for it leaves it out, and may leave out messages before the `window_start` of a "
        "budget of that many messages.",
    )
    @pytest.mark.parametrize("count", [3, 8, 9, 10, 13, 14, 15])
    async def test_lease_contains_the_current_conversation_or_nothing(
        self, rig: ConversationStoreRig, count: int
    ) -> None:
        conversation = await rig.conversations.start(conversation_of())
        said = [*messages_of(count, tokens=3), user_message("m-x", answered=False)]
        await rig.conversations.append(conversation.id, said)
        for newest, tokens in product((0, 2, 9, 10), (None, 3, 2)):
            lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE, newest=newest, tokens=tokens)
            assert lease is not None
            assert lease.conversation == conversation.id
            current = await rig.conversations.current(api_lane().id, newest=newest, tokens=tokens)
            assert current is not None
            if lease.found is not None:
                budget = HistoryBudget(tokens=10**9, messages=newest)
                first = window_start([1] * len(current.messages), total=count, budget=budget)
                assert lease.found.conversation == current.conversation
                kept = len(lease.found.messages)
                assert lease.found.messages == current.messages[len(current.messages) - kept :]
                assert kept >= len(current.messages) - first
            await rig.lanes.release(lease)

    async def test_lease_of_an_expired_lane_contains_what_its_holder_stored(self, rig: ConversationStoreRig) -> None:
        conversation = await rig.conversations.start(conversation_of())
        late = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE, newest=9)
        await rig.advance(LEASE + 1)
        await rig.conversations.append(conversation.id, [user_message()], lease=late)
        lease = await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE, newest=9)
        assert lease is not None
        assert lease.found in {None, await rig.conversations.current(api_lane().id, newest=9)}

    @proves(
        "With `first`, the store may write that message together with the lease, as `ConversationRepo.append` does, "
        "and says so in the lease.",
    )
    @pytest.mark.parametrize("newest", [None, 9])
    @pytest.mark.parametrize("answered", [False, True])
    async def test_first_message_is_written_whole_or_not_at_all(
        self, rig: ConversationStoreRig, newest: int | None, *, answered: bool
    ) -> None:
        conversation = await rig.conversations.start(conversation_of())
        await rig.conversations.append(conversation.id, [*messages_of(3), user_message("m-x", answered=False)])
        before = await rig.conversations.show(conversation.id)
        current = await rig.conversations.current(api_lane().id, newest=9)
        assert current is not None
        message = full_message("m-4", answered=answered)
        first = FirstMessage(conversation=conversation.id, message=message)
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE, newest=newest, first=first)
        assert lease is not None
        after = await rig.conversations.show(conversation.id)
        assert after == before or lease.stored
        assert lease.found is None or lease.found.messages == current.messages
        if not lease.stored:
            await rig.conversations.append(conversation.id, [message], lease=lease)
        after = await rig.conversations.show(conversation.id)
        assert after.messages == (*before.messages, message)
        counts = after.conversation.messages, after.conversation.unanswered, after.conversation.updated_at
        assert counts == (5, 1 if answered else 2, message.at)
        await rig.conversations.append(conversation.id, [message], lease=lease)
        assert await rig.conversations.show(conversation.id) == after

    @proves(
        "With `first`, the store may write that message together with the lease, as `ConversationRepo.append` does, "
        "and says so in the lease.",
    )
    @pytest.mark.parametrize("newest", [None, 9])
    async def test_first_message_replaces_an_unanswered_one_with_its_content(
        self, rig: ConversationStoreRig, newest: int | None
    ) -> None:
        conversation = await rig.conversations.start(conversation_of())
        said = [user_message("m-1", answered=False, digest="d-1"), user_message("m-2", answered=False, digest="d-2")]
        await rig.conversations.append(conversation.id, said)
        message = user_message("m-3", answered=False, digest="d-1", turn=TurnId("turn-2"))
        first = FirstMessage(conversation=conversation.id, message=message)
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE, newest=newest, first=first)
        assert lease is not None
        assert await message_ids(rig) == (["m-2", "m-3"] if lease.stored else ["m-1", "m-2"])
        await rig.conversations.append(conversation.id, [message], lease=lease)
        assert await message_ids(rig) == ["m-2", "m-3"]
        assert (await rig.conversations.show(conversation.id)).conversation.unanswered == 2

    @proves("It writes nothing if another conversation is the lane's current one, or if the message is stored already.")
    @pytest.mark.parametrize("newest", [None, 9])
    @pytest.mark.parametrize("holder", ["conversation-1", "conversation-2"])
    @pytest.mark.parametrize(
        "fields", [{}, {"digest": "d-1"}, {"answered": False}, {"answered": False, "digest": "d-1"}]
    )
    async def test_first_message_that_is_stored_is_not_written(
        self, rig: ConversationStoreRig, newest: int | None, holder: str, fields: dict[str, Any]
    ) -> None:
        conversation = await rig.conversations.start(conversation_of())
        await rig.conversations.start(conversation_of("conversation-2", lane="lane-2"))
        message = user_message(**fields)
        await rig.conversations.append(ConversationId(holder), [message])
        before = [await rig.conversations.show(ConversationId(f"conversation-{number}")) for number in (1, 2)]
        first = FirstMessage(conversation=conversation.id, message=message)
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE, newest=newest, first=first)
        assert lease is not None
        assert not lease.stored
        assert [await rig.conversations.show(ConversationId(f"conversation-{number}")) for number in (1, 2)] == before

    @proves("It writes nothing if another conversation is the lane's current one, or if the message is stored already.")
    @pytest.mark.parametrize("newest", [None, 9])
    async def test_first_message_of_another_conversation_is_not_written(
        self, rig: ConversationStoreRig, newest: int | None
    ) -> None:
        old = await rig.conversations.start(conversation_of())
        await rig.conversations.append(old.id, messages_of(1))
        await rig.conversations.start(conversation_of("conversation-2"), replaces=old.id)
        await rig.conversations.start(conversation_of("conversation-3", lane="lane-2"))
        lanes = {"lane-1": ("conversation-1", "conversation-3", "unknown"), "lane-3": ("conversation-1", "unknown")}
        for lane, names in lanes.items():
            for name in names:
                first = FirstMessage(conversation=ConversationId(name), message=user_message("m-9", answered=False))
                lease = await rig.lanes.acquire(
                    api_lane(lane), owner="worker-1", seconds=LEASE, newest=newest, first=first
                )
                assert lease is not None
                assert not lease.stored
                await rig.lanes.release(lease)
        assert await message_ids(rig) == ["m-1"]
        for name in ("conversation-2", "conversation-3"):
            assert await message_ids(rig, name) == []

    @proves("Of concurrent calls, one gets the lease.")
    @pytest.mark.parametrize("newest", [None, 9])
    async def test_first_message_is_written_by_the_holder_alone(
        self, rig: ConversationStoreRig, newest: int | None
    ) -> None:
        conversation = await rig.conversations.start(conversation_of())
        calls = [
            rig.lanes.acquire(
                api_lane(),
                owner=f"worker-{number}",
                seconds=LEASE,
                newest=newest,
                first=FirstMessage(conversation=conversation.id, message=user_message(f"m-{number}", answered=False)),
            )
            for number in range(20)
        ]
        (lease,) = [lease for lease in await asyncio.gather(*calls) if lease is not None]
        assert await message_ids(rig) == ([lease.owner.replace("worker", "m")] if lease.stored else [])

    @proves(
        "A lane is free if nobody holds a lease on it, or if the lease has expired.",
        "Leases this lane for that many seconds, or returns None if it isn't free; returns immediately.",
    )
    async def test_leased_lane_is_refused_until_it_is_released(self, rig: ConversationStoreRig) -> None:
        first = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert first is not None
        assert await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE) is None
        assert await rig.lanes.acquire(api_lane("lane-2"), owner="worker-2", seconds=LEASE) is not None
        await rig.lanes.release(first)
        second = await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE)
        assert second is not None
        assert second.epoch > first.epoch

    @proves(
        "Leases lanes to one holder at a time, across all processes and hosts that share the store.",
        "Of concurrent calls, one gets the lease.",
    )
    async def test_one_of_concurrent_calls_gets_the_lease(self, rig: ConversationStoreRig) -> None:
        calls = (rig.lanes.acquire(api_lane(), owner=f"worker-{number}", seconds=LEASE) for number in range(20))
        assert sum(lease is not None for lease in await asyncio.gather(*calls)) == 1

    @proves("LeaseLostError: The lease was released, or the lane has another holder.")
    async def test_expired_lease_can_be_taken_and_its_holder_is_fenced(self, rig: ConversationStoreRig) -> None:
        late = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.advance(LEASE + 1)
        taken = await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE)
        assert late is not None
        assert taken is not None
        with pytest.raises(LeaseLostError):
            await rig.lanes.renew(late, seconds=LEASE)
        await rig.lanes.release(late)
        assert await rig.lanes.acquire(api_lane(), owner="worker-3", seconds=LEASE) is None
        assert await rig.lanes.renew(taken, seconds=LEASE) == 0

    @proves(
        "Extends a lease to that many seconds from now, and returns the number of events that the lane received.",
    )
    async def test_renewed_lease_lasts_longer(self, rig: ConversationStoreRig) -> None:
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert lease is not None
        await rig.advance(LEASE * 0.75)
        await rig.lanes.renew(lease, seconds=LEASE)
        await rig.advance(LEASE * 0.75)
        assert await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE) is None

    @proves(
        "Extends a lease to that many seconds from now, and returns the number of events that the lane received.",
    )
    async def test_renewed_lease_ends_that_long_from_now(self, rig: ConversationStoreRig) -> None:
        """The seconds aren't added to the rest of the lease."""
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert lease is not None
        for _ in range(3):
            await rig.lanes.renew(lease, seconds=LEASE)
        await rig.advance(LEASE + 1)
        assert await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE) is not None

    @proves("A lease that has expired can be renewed until another holder takes the lane.")
    async def test_expired_lease_that_nobody_took_can_be_renewed(self, rig: ConversationStoreRig) -> None:
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert lease is not None
        await rig.advance(LEASE + 1)
        await rig.lanes.renew(lease, seconds=LEASE)
        assert await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE) is None

    @proves(
        "LeaseLostError: The lease was released, or the lane has another holder.",
        "Ends a lease; does nothing if it is lost, except with `uncounted_if_lost`.",
    )
    async def test_released_lease_is_lost(self, rig: ConversationStoreRig) -> None:
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert lease is not None
        await rig.lanes.release(lease)
        await rig.lanes.release(lease)
        with pytest.raises(LeaseLostError):
            await rig.lanes.renew(lease, seconds=LEASE)

    @proves("LeaseLostError: The lease was released, or the lane has another holder.")
    async def test_released_lease_is_lost_if_its_owner_has_the_lane_again(self, rig: ConversationStoreRig) -> None:
        late = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert late is not None
        await rig.lanes.release(late)
        again = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert again is not None
        with pytest.raises(LeaseLostError):
            await rig.lanes.renew(late, seconds=LEASE)
        await rig.lanes.release(late)
        assert await rig.lanes.renew(again, seconds=LEASE) == 0

    @proves("LeaseLostError: The lease was released, or the lane has another holder.")
    async def test_lease_of_a_deleted_lane_is_lost(self, rig: ConversationStoreRig) -> None:
        """The lane is created again, so the number of its leases is the same as before."""
        await rig.conversations.start(conversation_of())
        late = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert late is not None
        await rig.advance(LEASE + 1)
        lease = await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE)
        assert lease is not None
        await rig.lanes.release(lease)
        await rig.conversations.delete(ConversationSelection(instance=BOT), limit=9)
        again = await rig.lanes.acquire(api_lane(), owner="worker-3", seconds=LEASE)
        assert again is not None
        with pytest.raises(LeaseLostError):
            await rig.lanes.renew(late, seconds=LEASE)
        await rig.lanes.release(late)
        assert await rig.lanes.renew(again, seconds=LEASE) == 0

    @proves("Leases the lane of the kind `channel` that has been due longest, or returns None if none is due.")
    @pytest.mark.parametrize("kind", [LaneKind.API, LaneKind.ACCOUNT])
    async def test_workers_never_claim_lanes_of_other_kinds(self, rig: ConversationStoreRig, kind: LaneKind) -> None:
        lease = await rig.lanes.acquire(api_lane(kind=kind), owner="worker-1", seconds=LEASE)
        assert lease is not None
        await rig.advance(LEASE + 1)
        assert await rig.lanes.due_in() is None
        assert await rig.lanes.claim(owner="worker-2", seconds=LEASE) is None
        await rig.lanes.release(lease, again=True)
        assert await rig.lanes.due_in() is None

    @proves("Returns the seconds until the next lane of the kind `channel` is due, or None if none will be.")
    async def test_no_lane_is_due_initially(self, rig: ConversationStoreRig) -> None:
        assert await rig.lanes.due_in() is None
        assert await rig.lanes.claim(owner="worker-1", seconds=LEASE) is None

    @proves(
        "A lane is due once it received an event and its burst is over, once its holder released it with"
        " work left, or once the lease of its holder has expired.",
    )
    async def test_event_makes_its_lane_due(self, rig: ConversationStoreRig) -> None:
        await rig.inbox.receive([event_of()])
        due_in = await rig.lanes.due_in()
        assert due_in is not None
        assert due_in <= 0
        lease = await claimed(rig)
        assert (lease.lane, lease.wake) == (lane_of(), 1)
        assert await rig.lanes.claim(owner="worker-2", seconds=LEASE) is None

    @proves("A negative number means that a lane has been due for so long.")
    @proves("Leases the lane of the kind `channel` that has been due longest, or returns None if none is due.")
    async def test_lane_that_has_been_due_longest_is_claimed_first(self, rig: ConversationStoreRig) -> None:
        for name in ("b", "c", "a"):
            await rig.inbox.receive([event_of(name, lane_of(name))])
            await rig.advance(1)
        due_in = await rig.lanes.due_in()
        assert due_in is not None
        assert due_in <= -2.9
        assert [(await claimed(rig)).lane.id for _ in range(3)] == ["b", "c", "a"]

    @proves("Of concurrent calls, each gets another lane.")
    async def test_concurrent_claims_get_different_lanes(self, rig: ConversationStoreRig) -> None:
        await rig.inbox.receive([event_of(f"e-{number}", lane_of(f"lane-{number}")) for number in range(10)])
        calls = (rig.lanes.claim(owner=f"worker-{number}", seconds=LEASE) for number in range(15))
        lanes = [lease.lane.id for lease in await asyncio.gather(*calls) if lease is not None]
        assert sorted(lanes) == sorted(f"lane-{number}" for number in range(10))

    @proves(
        "A lane is due once it received an event and its burst is over, once its holder released it with"
        " work left, or once the lease of its holder has expired.",
    )
    async def test_lane_of_a_dead_worker_is_due_again(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await rig.advance(LEASE + 1)
        again = await rig.inbox.load(await claimed(rig, "worker-2"), limit=20)
        assert names_of(again) == names_of(work)
        assert again.events[0].attempts == 2
        with pytest.raises(LeaseLostError):
            await rig.inbox.load(work.lease, limit=20)

    @proves(
        "A lane of the kind `channel` is due again after the delay if it received an event since its "
        "work was loaded (its count isn't that of the lease), or with `again`; otherwise it is idle.",
    )
    async def test_released_lane_without_new_events_is_idle(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await finished(rig, work)
        await rig.lanes.release(work.lease)
        assert await rig.lanes.due_in() is None

    @proves(
        "A lane of the kind `channel` is due again after the delay if it received an event since its "
        "work was loaded (its count isn't that of the lease), or with `again`; otherwise it is idle.",
    )
    async def test_lane_that_received_an_event_meanwhile_is_due_after_its_release(
        self, rig: ConversationStoreRig
    ) -> None:
        work = await loaded(rig)
        await finished(rig, work)
        await rig.inbox.receive([event_of("e-2")])
        assert await rig.lanes.claim(owner="worker-2", seconds=LEASE) is None
        assert await rig.lanes.renew(work.lease, seconds=LEASE) == work.lease.wake + 1
        await rig.lanes.release(work.lease)
        assert names_of(await rig.inbox.load(await claimed(rig), limit=20)) == ["e-2"]

    @proves(
        "A lane is due once it received an event and its burst is over, once its holder released it with"
        " work left, or once the lease of its holder has expired.",
    )
    async def test_lane_with_work_left_is_due_after_the_delay(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await rig.lanes.release(work.lease, again=True, delay=100)
        assert await rig.lanes.claim(owner="worker-2", seconds=LEASE) is None
        await rig.inbox.receive([event_of("e-2")])
        due_in = await rig.lanes.due_in()
        assert due_in is not None
        assert 50 < due_in <= 100
        await rig.advance(101)
        assert names_of(await rig.inbox.load(await claimed(rig), limit=20)) == ["e-1", "e-2"]

    async def test_uncounted_load_is_not_an_attempt(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await rig.lanes.release(work.lease, again=True, uncounted=ids_of(work))
        again = await rig.inbox.load(await claimed(rig), limit=20)
        assert [event.attempts for event in again.events] == [1]
        await rig.lanes.release(work.lease, again=True, uncounted=ids_of(work))  # the lease is lost
        assert [event.attempts for event in (await rig.inbox.load(again.lease, limit=20)).events] == [2]

    async def test_only_the_given_events_are_uncounted(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig, event_of("e-1"), event_of("e-2"))
        await rig.lanes.release(work.lease, again=True, uncounted=ids_of(work)[1:])
        again = await rig.inbox.load(await claimed(rig), limit=20)
        assert [event.attempts for event in again.events] == [2, 1]

    @proves("Ends a lease; does nothing if it is lost, except with `uncounted_if_lost`.")
    async def test_load_is_uncounted_although_the_lease_is_lost(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await rig.advance(LEASE + 1)
        again = await rig.inbox.load(await claimed(rig), limit=20)
        assert [event.attempts for event in again.events] == [2]
        await rig.lanes.release(work.lease, again=True, uncounted=ids_of(work), uncounted_if_lost=True)
        assert [event.attempts for event in (await rig.inbox.load(again.lease, limit=20)).events] == [2]

    @proves("The source is removed, so that its lease is lost.")
    @proves(
        "Moves the work and the conversation of a lane to another one, which is created if it is unknown.",
        "Events and deliveries keep their order.",
    )
    async def test_moved_lane_takes_its_work_along(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig, event_of("e-1"))
        deliveries = await finished(rig, work, "chunk 1", "chunk 2", "chunk 3")
        await rig.inbox.receive([event_of(f"e-{number}") for number in (4, 2, 3)])
        conversation = await rig.conversations.start(conversation_of())
        await rig.lanes.move(work.lease.lane.id, lane_of("lane-2"))
        with pytest.raises(LeaseLostError):
            await rig.lanes.renew(work.lease, seconds=LEASE)
        lease = await claimed(rig)
        assert (lease.lane, lease.conversation) == (lane_of("lane-2"), conversation.id)
        moved = await rig.inbox.load(lease, limit=20)
        assert [each.id for each in moved.deliveries] == [each.id for each in deliveries]
        for each in deliveries:
            await rig.outbox.record(each.id, SendResult(state=DeliveryState.SENT))
        assert names_of(await rig.inbox.load(lease, limit=20)) == ["e-4", "e-2", "e-3"]
        history = await rig.conversations.current(lane_of("lane-2").id, newest=0)
        assert history is not None
        assert history.conversation.lane == "lane-2"

    @proves("The target keeps its own conversation if it has one.")
    async def test_target_of_a_move_keeps_its_conversation(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.start(conversation_of("conversation-2", "lane-2"))
        await rig.lanes.move(lane_of().id, lane_of("lane-2"))
        history = await rig.conversations.current(lane_of("lane-2").id, newest=0)
        assert history is not None
        assert history.conversation.id == "conversation-2"

    @proves("An unknown source changes nothing.")
    async def test_unknown_source_of_a_move_changes_nothing(self, rig: ConversationStoreRig) -> None:
        await rig.lanes.move(lane_of("nobody").id, lane_of("lane-2"))
        assert await rig.lanes.due_in() is None


class LanesOutageContract(ConversationStoreOutageContract):
    """The additional tests for Lanes whose store can fail; subclasses provide a rig with an unavailable store."""

    @proves(
        "Every method raises `StorageUnavailableError` if the store is unavailable; whether the change "
        "took effect is then unknown.",
    )
    async def test_lanes_report_unavailable_store(self, unavailable: ConversationStoreRig) -> None:
        lanes = unavailable.lanes
        with pytest.raises(StorageUnavailableError):
            await lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        with pytest.raises(StorageUnavailableError):
            await lanes.claim(owner="worker-1", seconds=LEASE)
        with pytest.raises(StorageUnavailableError):
            await lanes.due_in()
        with pytest.raises(StorageUnavailableError):
            await lanes.renew(lease_of(), seconds=LEASE)
        with pytest.raises(StorageUnavailableError):
            await lanes.release(lease_of())
        with pytest.raises(StorageUnavailableError):
            await lanes.move(lane_of().id, lane_of("lane-2"))
