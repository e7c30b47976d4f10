from msgspec.structs import replace

from polyant.adapters.cache.fresh_instance_repo import FreshInstanceRepo
from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.domain.instances import InstanceQuery, InstanceStatus, Slug
from polyant.testing.factories import InstanceFactory
from polyant.testing.manual_clock import ManualClock

BOT = Slug("bot")


async def test_write_of_another_process_is_seen_despite_an_older_cache() -> None:
    store = MemoryInstanceRepo()
    stored = await store.add(InstanceFactory.build(slug=BOT))
    async with CachedInstanceRepo(store, clock=ManualClock()) as cache:
        fresh = FreshInstanceRepo(store, cache)
        assert await cache.get(BOT) == stored
        await cache.list(InstanceQuery(status=InstanceStatus.ACTIVE))
        written = await store.save(replace(stored, description="from elsewhere"))
        assert await cache.get(BOT) == stored
        assert await fresh.get(BOT) == written
        page = await fresh.list(InstanceQuery(status=InstanceStatus.ACTIVE))
        assert [shown.description for shown in page.instances] == ["from elsewhere"]


async def test_write_through_the_repo_is_cached_at_once() -> None:
    store = MemoryInstanceRepo()
    async with CachedInstanceRepo(store, clock=ManualClock()) as cache:
        fresh = FreshInstanceRepo(store, cache)
        assert await cache.get(BOT) is None
        stored = await fresh.add(InstanceFactory.build(slug=BOT))
        assert await cache.get(BOT) == stored
        saved = await fresh.save(replace(stored, description="new"))
        assert await cache.get(BOT) == saved
        await fresh.delete(BOT)
        assert await cache.get(BOT) is None
