"""Instances, from memory where the repository behind has not changed them."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from polyant.adapters.cache.loading_cache import LoadingCache, retrieve
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instances import Instance, InstanceChanges, InstancePage, InstanceQuery, InstanceStatus, Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo

_logger = logging.getLogger(__name__)

_MAX_LOOKS = 3
_ALL_ACTIVE = InstanceQuery(status=InstanceStatus.ACTIVE)


class CachedInstanceRepo(InstanceRepo):
    """Answers `get`, and `list` of all active instances, from memory; looks for changes while it is open.

    Nothing is answered from memory that might have been older than `max_age` seconds when it was asked for: if the last
    look for changes that succeeded began before that, everybody who asks waits for another one, and gets its error.
    They all share it: if each of them asked a repository that is slow for an instance, it would become slower still,
    and the looks with it, so that memory might never be good enough again.
    """

    def __init__(
        self,
        inner: InstanceRepo,
        *,
        clock: Clock,
        max_instances: int = 10_000,
        max_age: float = 1.0,
        poll_seconds: float = 0.5,
    ) -> None:
        """Takes the repository behind, and how much is kept for how long."""
        self._inner = inner
        self._clock = clock
        self._max_age = max_age
        self._poll_seconds = poll_seconds
        self._instances = LoadingCache[Slug, Instance | None](max_instances)
        self._listings = LoadingCache[InstanceQuery, InstancePage](1)
        self._revision = 0
        self._looked_at = float("-inf")
        self._polling: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._looking_since = float("-inf")
        self._looks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Looks for changes at once, and from then on every `poll_seconds`."""
        await self._try_refresh()
        self._polling = asyncio.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running = [*self._looks, *([] if self._polling is None else [self._polling])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def get(self, slug: Slug) -> Instance | None:
        await self._catch_up()
        return await self._instances.get(slug, self._inner.get)

    async def list(self, query: InstanceQuery) -> InstancePage:
        if query != _ALL_ACTIVE:
            return await self._inner.list(query)
        await self._catch_up()
        return await self._listings.get(query, self._inner.list)

    async def add(self, instance: Instance, *, audit: AuditEntry | None = None) -> Instance:
        with self._dropping(instance.slug):
            return await self._inner.add(instance, audit=audit)

    async def save(self, instance: Instance, *, audit: AuditEntry | None = None) -> Instance:
        with self._dropping(instance.slug):
            stored = await self._inner.save(instance, audit=audit)
        self._drop(stored.slug)  # another one if the caller changed what can't be changed
        return stored

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        with self._dropping(slug):
            await self._inner.delete(slug, version=version, audit=audit)

    async def changes_since(self, revision: int) -> InstanceChanges:
        return await self._inner.changes_since(revision)

    async def refresh(self) -> None:
        """Looks for changes once and drops what changed.

        Raises:
            StorageUnavailableError: The repository behind doesn't answer.
        """
        began, known = self._clock.monotonic(), self._revision
        changes = await self._inner.changes_since(known)
        if changes.revision < known:  # the store went back in time, to a backup for example
            self._instances.clear()
            self._listings.clear()
        for slug in changes.slugs:
            self._drop(slug)
        self._revision, self._looked_at = changes.revision, max(began, self._looked_at)

    async def run(self) -> None:
        """Looks for changes every `poll_seconds`, for ever and whatever happens."""
        while True:
            await self._clock.sleep(self._poll_seconds)
            await self._try_refresh()

    async def _try_refresh(self) -> None:
        try:
            await self.refresh()
        except StorageUnavailableError:
            _logger.debug("The store doesn't answer: instances are not answered from memory")
        except Exception:
            _logger.exception("The look for changed instances failed: they are not answered from memory")

    async def _catch_up(self) -> None:
        """Returns when no more than the changes of the last `max_age` seconds, from now on, may be missing.

        Raises:
            StorageUnavailableError: The repository behind doesn't answer.
        """
        oldest = self._clock.monotonic() - self._max_age
        while self._looked_at < oldest:
            await asyncio.shield(self._look_since(oldest))  # who stops waiting doesn't stop it for the others

    def _look_since(self, oldest: float) -> asyncio.Task[None]:
        """Returns a look that began no earlier, or the last one if enough are under way.

        One that takes long isn't waited for by those who come late: it may hang on a connection that is dead.
        """
        late = self._looking_since < oldest and len(self._looks) < _MAX_LOOKS
        if self._looking is None or self._looking.done() or late:
            self._looking_since = self._clock.monotonic()
            self._looking = asyncio.create_task(self.refresh())
            self._looking.add_done_callback(retrieve)
            self._looks.add(self._looking)
            self._looking.add_done_callback(self._looks.discard)
        return self._looking

    @contextlib.contextmanager
    def _dropping(self, slug: Slug) -> Iterator[None]:
        """Drops the instance after a write, also one that failed: what was known of it may be why."""
        try:
            yield
        finally:
            self._drop(slug)

    def _drop(self, slug: Slug) -> None:
        self._instances.drop(slug)
        self._listings.clear()
