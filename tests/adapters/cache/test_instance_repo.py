import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.domain.errors import InstanceChangedError, StorageUnavailableError
from polyant.domain.instances import (
    Instance,
    InstanceChanges,
    InstancePage,
    InstanceQuery,
    InstanceStatus,
    Slug,
)
from polyant.testing.factories import InstanceFactory
from polyant.testing.manual_clock import ManualClock

BOT = Slug("bot")
Queries = list[str]  # inside the class, list is the port's method
ALL_ACTIVE = InstanceQuery(status=InstanceStatus.ACTIVE)


class Store(MemoryInstanceRepo):
    """A memory store that records its queries, and can fail or delay its responses."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Queries = []
        self.failure: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def get(self, slug: Slug) -> Instance | None:
        found = await super().get(slug)
        await self._note(f"get {slug}")
        return found

    async def list(self, query: InstanceQuery) -> InstancePage:
        page = await super().list(query)
        await self._note("list")
        return page

    async def changes_since(self, revision: int) -> InstanceChanges:
        changes = await super().changes_since(revision)
        await self._note(f"changes since {revision}")
        return changes

    async def _note(self, query: str) -> None:
        self.asked.append(query)
        await self.open.wait()
        if self.failure is not None:
            raise self.failure

    def restore(self) -> None:
        """Empties the store, like a restore of its first backup."""
        super().__init__()

    def queries(self) -> Queries:
        """Returns the queries since the previous call."""
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def bot() -> Instance:
    return InstanceFactory.build(slug=BOT)


@pytest.fixture
async def store(bot: Instance) -> Store:
    """A store with one bot."""
    store = Store()
    await store.add(bot)
    return store


@pytest.fixture
async def repo(store: Store, clock: ManualClock) -> AsyncIterator[CachedInstanceRepo]:
    """A repository that has just polled for changes, and polls again in half a second."""
    async with CachedInstanceRepo(store, clock=clock) as repo:
        await clock.sleepers()
        store.queries()
        yield repo


async def settle() -> None:
    """Runs every task until it waits for an action of the test."""
    for _ in range(20):
        await asyncio.sleep(0)


async def pass_time(clock: ManualClock, seconds: float) -> None:
    clock.advance(seconds)
    await settle()


async def change(store: Store) -> Instance:
    """Changes the bot in the store without the repository."""
    stored = await MemoryInstanceRepo.get(store, BOT)
    assert stored is not None
    return await store.save(replace(stored, name=f"{stored.name}!"))


class TestGet:
    async def test_cached_instance_needs_no_query(self, repo: CachedInstanceRepo, store: Store) -> None:
        first = await repo.get(BOT)
        assert [await repo.get(BOT) for _ in range(3)] == [first] * 3
        assert store.queries() == ["get bot"]

    async def test_unknown_slug_is_queried_once(self, repo: CachedInstanceRepo, store: Store) -> None:
        assert [await repo.get(Slug("nobody")) for _ in range(3)] == [None] * 3
        assert store.queries() == ["get nobody"]

    async def test_cache_is_limited_to_its_maximum_size(self, store: Store, clock: ManualClock) -> None:
        async with CachedInstanceRepo(store, clock=clock, max_instances=2) as repo:
            store.queries()
            for slug in ["a", "b", "c", "c", "a"]:
                await repo.get(Slug(slug))
            assert store.queries() == ["get a", "get b", "get c", "get a"]

    async def test_concurrent_calls_share_one_query(self, repo: CachedInstanceRepo, store: Store) -> None:
        await asyncio.gather(*(repo.get(BOT) for _ in range(10)))
        assert store.queries() == ["get bot"]


class TestChangesByOthers:
    async def test_change_is_seen_after_the_next_poll(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        await repo.get(BOT)
        changed = await change(store)
        await pass_time(clock, 0.5)
        assert await repo.get(BOT) == changed

    async def test_polling_continues(self, repo: CachedInstanceRepo, store: Store, clock: ManualClock) -> None:
        for revision in [1, 1, 1]:
            await pass_time(clock, 0.5)
            assert store.queries() == [f"changes since {revision}"]

    async def test_unchanged_instance_stays_cached(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        await repo.get(BOT)
        await repo.get(Slug("nobody"))
        await store.add(InstanceFactory.build())
        await pass_time(clock, 0.5)
        store.queries()
        await repo.get(BOT)
        await repo.get(Slug("nobody"))
        assert store.queries() == []

    async def test_unknown_slug_is_found_once_it_is_added(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        assert await repo.get(Slug("new")) is None
        added = await store.add(InstanceFactory.build(slug="new"))
        await pass_time(clock, 0.5)
        assert await repo.get(Slug("new")) == added

    async def test_load_that_began_before_a_change_is_not_cached(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        store.open.clear()
        loading = asyncio.create_task(repo.get(BOT))
        await settle()
        changed = await change(store)
        clock.advance(0.5)
        await settle()
        store.open.set()
        await settle()
        old = await loading
        assert old is not None
        assert old.version < changed.version
        assert await repo.get(BOT) == changed

    async def test_store_restored_from_a_backup_is_reloaded(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        """Otherwise a restored backup would go unnoticed until its revision reached the cached one."""
        for _ in range(3):
            await change(store)
        await pass_time(clock, 0.5)
        await repo.get(BOT)
        await repo.list(ALL_ACTIVE)
        store.restore()
        restored = await store.add(InstanceFactory.build(slug=BOT))
        await pass_time(clock, 0.5)
        assert await repo.get(BOT) == restored
        assert [shown.id for shown in (await repo.list(ALL_ACTIVE)).instances] == [restored.id]


class TestOwnWrites:
    async def test_saved_instance_is_seen_at_once(self, repo: CachedInstanceRepo) -> None:
        stored = await repo.get(BOT)
        assert stored is not None
        saved = await repo.save(replace(stored, name="Changed"))
        assert await repo.get(BOT) == saved

    async def test_added_instance_is_seen_at_once(self, repo: CachedInstanceRepo) -> None:
        assert await repo.get(Slug("new")) is None
        added = await repo.add(InstanceFactory.build(slug="new"))
        assert await repo.get(Slug("new")) == added

    async def test_deleted_instance_is_gone_at_once(self, repo: CachedInstanceRepo) -> None:
        await repo.get(BOT)
        await repo.delete(BOT)
        assert await repo.get(BOT) is None

    async def test_instance_is_read_again_after_a_refused_save(self, repo: CachedInstanceRepo, store: Store) -> None:
        known = await repo.get(BOT)
        assert known is not None
        theirs = await change(store)
        with pytest.raises(InstanceChangedError):
            await repo.save(known)
        assert await repo.get(BOT) == theirs
        assert (await repo.save(theirs)).version == theirs.version + 1

    async def test_load_that_began_before_an_own_write_is_not_cached(
        self, repo: CachedInstanceRepo, store: Store, bot: Instance
    ) -> None:
        store.open.clear()
        loading = asyncio.create_task(repo.get(BOT))
        await settle()
        saved = await repo.save(replace(bot, version=1, name="Changed"))
        store.open.set()
        old = await loading
        assert old is not None
        assert old.version < saved.version
        assert await repo.get(BOT) == saved

    async def test_attempted_slug_change_drops_the_cached_instance(self, repo: CachedInstanceRepo) -> None:
        stored = await repo.get(BOT)
        assert stored is not None
        saved = await repo.save(replace(stored, slug=Slug("other"), name="Changed"))
        assert await repo.get(BOT) == saved


class TestListing:
    async def test_list_of_active_instances_is_cached_until_a_change(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        first = await repo.list(ALL_ACTIVE)
        assert await repo.list(ALL_ACTIVE) == first
        await pass_time(clock, 0.5)
        assert await repo.list(ALL_ACTIVE) == first
        assert store.queries() == ["list", "changes since 1"]
        changed = await change(store)
        await pass_time(clock, 0.5)
        assert [shown.name for shown in (await repo.list(ALL_ACTIVE)).instances] == [changed.name]

    async def test_own_write_is_listed_at_once(self, repo: CachedInstanceRepo) -> None:
        assert (await repo.list(ALL_ACTIVE)).total == 1
        await repo.add(InstanceFactory.build())
        assert (await repo.list(ALL_ACTIVE)).total == 2
        await repo.delete(BOT)
        assert (await repo.list(ALL_ACTIVE)).total == 1

    @pytest.mark.parametrize(
        "query", [InstanceQuery(), InstanceQuery(status=InstanceStatus.ACTIVE, limit=1), InstanceQuery(search="b")]
    )
    async def test_other_lists_are_queried_each_time(
        self, repo: CachedInstanceRepo, store: Store, query: InstanceQuery
    ) -> None:
        await repo.list(query)
        await repo.list(query)
        assert store.queries() == ["list", "list"]


class TestOutage:
    async def test_cached_data_is_served_within_max_age(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        known = await repo.get(BOT)
        store.failure = StorageUnavailableError()
        await pass_time(clock, 0.5)
        await pass_time(clock, 0.5)
        assert await repo.get(BOT) == known

    async def test_data_older_than_max_age_is_not_served(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        await repo.get(BOT)
        await repo.list(ALL_ACTIVE)
        store.failure = StorageUnavailableError()
        await pass_time(clock, 0.5)
        await pass_time(clock, 0.5)
        await pass_time(clock, 0.01)
        with pytest.raises(StorageUnavailableError):
            await repo.get(BOT)
        with pytest.raises(StorageUnavailableError):
            await repo.list(ALL_ACTIVE)

    async def test_age_is_measured_from_the_start_of_the_last_poll(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        """The result of a poll is only known to be true at its start, however long the response takes."""
        await repo.get(BOT)
        store.open.clear()
        await pass_time(clock, 0.5)  # the poll starts
        await pass_time(clock, 2)
        store.open.set()
        await settle()  # the poll ends
        store.queries()
        await repo.get(BOT)
        assert store.queries() == ["changes since 1"]

    async def test_hanging_poll_does_not_extend_the_age(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        await repo.get(BOT)
        store.open.clear()
        await pass_time(clock, 0.5)
        await pass_time(clock, 0.6)
        store.queries()
        asking = asyncio.create_task(repo.get(BOT))
        await settle()
        assert store.queries() == ["changes since 1"]
        assert not asking.done()
        store.open.set()
        await asking

    async def test_callers_share_one_query_while_polls_are_late(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        """Otherwise the queries of all callers would keep a briefly slow store slow."""
        known = await repo.get(BOT), await repo.get(Slug("nobody"))
        await repo.list(ALL_ACTIVE)
        store.open.clear()
        await pass_time(clock, 1.1)  # meanwhile the due poll hangs
        store.queries()
        asking = [asyncio.create_task(repo.get(slug)) for slug in (BOT, Slug("nobody")) for _ in range(50)]
        asking_all = asyncio.create_task(repo.list(ALL_ACTIVE))
        await settle()
        store.open.set()
        assert await asyncio.gather(*asking) == [known[0]] * 50 + [known[1]] * 50
        assert (await asking_all).total == 1
        assert store.queries() == ["changes since 1"]

    async def test_cancelled_caller_does_not_cancel_a_shared_poll(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        known = await repo.get(BOT)
        store.open.clear()
        await pass_time(clock, 1.1)
        leaving, staying = (asyncio.create_task(repo.get(BOT)) for _ in range(2))
        await settle()
        leaving.cancel()
        await settle()
        store.open.set()
        assert await staying == known

    async def test_later_callers_do_not_wait_for_a_hanging_poll(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock
    ) -> None:
        """The result of the hanging poll would be too old for them."""
        await repo.get(BOT)
        store.open.clear()
        await pass_time(clock, 1.1)
        early = asyncio.create_task(repo.get(BOT))
        await settle()
        changed = await change(store)
        store.queries()
        clock.advance(1.1)
        late = asyncio.create_task(repo.get(BOT))
        await settle()
        assert "changes since 1" in store.queries()
        store.open.set()
        await early
        assert await late == changed

    async def test_hanging_polls_are_bounded_and_end_with_the_cache(self, store: Store, clock: ManualClock) -> None:
        async with CachedInstanceRepo(store, clock=clock, poll_seconds=1_000) as repo:
            store.open.clear()
            store.queries()
            waiting = []
            for _ in range(9):
                clock.advance(1.1)
                waiting.append(asyncio.create_task(repo.get(BOT)))
                await settle()
            assert store.queries().count("changes since 1") == 3
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}

    @pytest.mark.parametrize("failure", [StorageUnavailableError(), ZeroDivisionError()], ids=["outage", "bug"])
    async def test_polling_continues_after_a_failure_and_finds_missed_changes(
        self, repo: CachedInstanceRepo, store: Store, clock: ManualClock, failure: Exception
    ) -> None:
        await repo.get(BOT)
        store.failure = failure
        for _ in range(4):
            await pass_time(clock, 0.5)
        changed = await change(store)
        store.failure = None
        await pass_time(clock, 0.5)
        store.queries()
        assert await repo.get(BOT) == changed
        assert await repo.get(BOT) == changed
        assert store.queries() == ["get bot"]

    async def test_cache_opens_while_the_store_is_down(self, store: Store, clock: ManualClock) -> None:
        store.failure = StorageUnavailableError()
        async with CachedInstanceRepo(store, clock=clock) as repo:
            with pytest.raises(StorageUnavailableError):
                await repo.get(BOT)
            store.failure = None
            assert await repo.get(BOT) is not None

    async def test_refresh_reports_the_outage(self, repo: CachedInstanceRepo, store: Store) -> None:
        store.failure = StorageUnavailableError()
        with pytest.raises(StorageUnavailableError):
            await repo.refresh()


async def test_unopened_cache_polls_on_demand(store: Store, clock: ManualClock) -> None:
    repo = CachedInstanceRepo(store, clock=clock)
    for _ in range(2):
        await repo.get(BOT)
        await repo.get(BOT)
        clock.advance(1.1)
    assert store.queries() == ["changes since 0", "get bot", "changes since 1"]


async def test_closed_cache_sends_no_query(store: Store, clock: ManualClock) -> None:
    async with CachedInstanceRepo(store, clock=clock):
        await clock.sleepers()
    store.queries()
    await pass_time(clock, 5)
    assert store.queries() == []
