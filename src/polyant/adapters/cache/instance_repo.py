"""Instances, from memory where the repository behind has not changed them."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from polyant.adapters.cache.loading_cache import LoadingCache
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instances import Instance, InstanceChanges, InstancePage, InstanceQuery, InstanceStatus, Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo

_logger = logging.getLogger(__name__)

_ALL_ACTIVE = InstanceQuery(status=InstanceStatus.ACTIVE)


class CachedInstanceRepo(InstanceRepo):
    """Answers `get`, and `list` of all active instances, from memory; looks for changes while it is open.

    Nothing is answered from memory that might be older than `max_age` seconds: if the last look for changes that
    succeeded began before that, each question goes to the repository behind, and so do its errors.
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

    async def __aenter__(self) -> Self:
        """Looks for changes at once, and from then on every `poll_seconds`."""
        await self._try_refresh()
        self._polling = asyncio.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling

    async def get(self, slug: Slug) -> Instance | None:
        if self._is_out_of_date():
            return await self._inner.get(slug)
        return await self._instances.get(slug, self._inner.get)

    async def list(self, query: InstanceQuery) -> InstancePage:
        if query != _ALL_ACTIVE or self._is_out_of_date():
            return await self._inner.list(query)
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
        self._revision, self._looked_at = changes.revision, began

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

    def _is_out_of_date(self) -> bool:
        return self._clock.monotonic() - self._looked_at > self._max_age

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
