"""Cached instances; they are loaded again after a change in the inner repository."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from polyant.adapters.cache.loading_cache import LoadingCache, retrieve_exception
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instance_states import InstanceState
from polyant.domain.instances import Instance, InstanceChanges, InstancePage, InstanceQuery, InstanceStatus, Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.skill_files import StoredSkillFile

_logger = logging.getLogger(__name__)

_MAX_REFRESHES = 3
_ALL_ACTIVE = InstanceQuery(status=InstanceStatus.ACTIVE)


class CachedInstanceRepo(InstanceRepo):
    """Caches `get`, and `list` of all active instances; polls the inner repository for changes while it is open.

    Cached data is at most `max_age` seconds old when it is requested. If the last successful poll started earlier, all
    callers wait for the next poll and get its error. They share that poll: loading each instance separately would slow
    down a repository that is already slow, and its polls, so that the cache might never become current again.

    Args:
        inner: The repository that stores the instances.
        clock: Measures ages and pauses.
        max_instances: How many instances are cached.
        max_age: The maximum age of cached data, in seconds.
        poll_seconds: The pause between two polls.
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
        self._inner = inner
        self._clock = clock
        self._max_age = max_age
        self._poll_seconds = poll_seconds
        self._instances = LoadingCache[Slug, Instance | None](max_instances)
        self._listings = LoadingCache[InstanceQuery, InstancePage](1)
        self._revision = 0
        self._refreshed_at = float("-inf")
        self._poll_task: asyncio.Task[None] | None = None
        self._refresh_task: asyncio.Task[None] | None = None
        self._refresh_started_at = float("-inf")
        self._refreshes: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Polls for changes immediately, and then every `poll_seconds`."""
        await self._try_refresh()
        self._poll_task = asyncio.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running = [*self._refreshes, *([] if self._poll_task is None else [self._poll_task])]
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

    async def add(
        self, instance: Instance, *, audit: AuditEntry | None = None, skill_files: Sequence[StoredSkillFile] = ()
    ) -> Instance:
        with self._dropping(instance.slug):
            return await self._inner.add(instance, audit=audit, skill_files=skill_files)

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        with self._dropping(instance.slug):
            stored = await self._inner.save(instance, audit=audit, replaced=replaced, skill_files=skill_files)
        self._drop(stored.slug)  # the inner repository ignores a changed slug, so it may differ
        return stored

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        with self._dropping(slug):
            await self._inner.delete(slug, version=version, audit=audit)

    async def changes_since(self, revision: int) -> InstanceChanges:
        return await self._inner.changes_since(revision)

    async def refresh(self) -> None:
        """Polls for changes once and drops the changed instances.

        Raises:
            StorageUnavailableError: The inner repository doesn't respond.
        """
        began, known = self._clock.monotonic(), self._revision
        changes = await self._inner.changes_since(known)
        if changes.revision < known:  # the store was reset, for example to a backup
            self._instances.clear()
            self._listings.clear()
        for slug in changes.slugs:
            self._drop(slug)
        self._revision, self._refreshed_at = changes.revision, max(began, self._refreshed_at)

    async def run(self) -> None:
        """Polls for changes every `poll_seconds` until it is cancelled; errors are logged."""
        while True:
            await self._clock.sleep(self._poll_seconds)
            await self._try_refresh()

    async def _try_refresh(self) -> None:
        try:
            await self.refresh()
        except StorageUnavailableError:
            _logger.debug("The store doesn't respond: cached instances are not used")
        except Exception:
            _logger.exception("Polling for changed instances failed: cached instances are not used")

    async def _catch_up(self) -> None:
        """Returns when the cache includes all changes older than `max_age` seconds, as of the time of the call.

        Raises:
            StorageUnavailableError: The inner repository doesn't respond.
        """
        oldest = self._clock.monotonic() - self._max_age
        while self._refreshed_at < oldest:
            await asyncio.shield(self._refresh_since(oldest))  # a cancelled caller must not cancel the others' poll

    def _refresh_since(self, oldest: float) -> asyncio.Task[None]:
        """Returns a poll that started no earlier than `oldest`, or the latest one if `_MAX_REFRESHES` are running.

        Later callers start a new poll instead of waiting for a slow one, which may hang on a dead connection.
        """
        late = self._refresh_started_at < oldest and len(self._refreshes) < _MAX_REFRESHES
        if self._refresh_task is None or self._refresh_task.done() or late:
            self._refresh_started_at = self._clock.monotonic()
            self._refresh_task = asyncio.create_task(self.refresh())
            self._refresh_task.add_done_callback(retrieve_exception)
            self._refreshes.add(self._refresh_task)
            self._refresh_task.add_done_callback(self._refreshes.discard)
        return self._refresh_task

    @contextlib.contextmanager
    def _dropping(self, slug: Slug) -> Iterator[None]:
        """Drops the instance after a write, even a failed one: stale data may have caused the failure."""
        try:
            yield
        finally:
            self._drop(slug)

    def _drop(self, slug: Slug) -> None:
        self._instances.drop(slug)
        self._listings.clear()
