"""Keeps the lease of a lane while something takes long."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from polyant.domain.errors import LeaseLostError, StorageUnavailableError
from polyant.domain.injectables import LeaseSeconds
from polyant.domain.lanes import Lease
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.lanes import Lanes
from polyant.domain.use_cases.channels.background_tasks import end

_RENEWALS_PER_LEASE = 3


class LeaseKeeper:
    """Renews leases in the background; a lost one is noticed by the next use of the store."""

    def __init__(self, *, lanes: Lanes, clock: Clock, lease_seconds: LeaseSeconds) -> None:
        self._lanes = lanes
        self._clock = clock
        self._seconds = lease_seconds

    @asynccontextmanager
    async def keep(self, lease: Lease) -> AsyncIterator[None]:
        """Renews the lease within the block."""
        task = asyncio.create_task(self._renew(lease))
        try:
            yield
        finally:
            await end(task)

    async def _renew(self, lease: Lease) -> None:
        while True:
            await self._clock.sleep(self._seconds / _RENEWALS_PER_LEASE)
            with contextlib.suppress(StorageUnavailableError):
                try:
                    await self._lanes.renew(lease, seconds=self._seconds)
                except LeaseLostError:
                    return
