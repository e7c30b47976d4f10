from msgspec.structs import replace

from polyant.adapters.cache.fresh_instance_repo import FreshInstanceRepo
from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.domain.instances import InstanceQuery, InstanceStatus, Slug
from polyant.testing.factories import InstanceFactory
from polyant.testing.manual_clock import ManualClock

BOT = Slug("bot")


async def test_what_another_process_wrote_is_seen_though_the_cache_is_older() -> None:
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


async def test_what_is_written_through_it_is_in_the_cache_at_once() -> None:
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
