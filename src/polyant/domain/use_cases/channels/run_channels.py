"""Use case: run everything that channels need in this process."""

import asyncio

from polyant.domain.use_cases.channels.channel_worker import ChannelWorker
from polyant.domain.use_cases.channels.pull_accounts import PullAccounts
from polyant.domain.use_cases.channels.tend_store import TendStore
from polyant.domain.use_cases.channels.watch_backlog import WatchBacklog


class RunChannels:
    """Claims lanes, pulls accounts, tends the store and measures the backlog."""

    def __init__(self, *, worker: ChannelWorker, pull: PullAccounts, tend: TendStore, watch: WatchBacklog) -> None:
        self._worker = worker
        self._pull = pull
        self._tend = tend
        self._watch = watch

    async def __call__(self) -> None:
        """Works until it is cancelled; then gives everything back."""
        others = [asyncio.create_task(run()) for run in (self._pull.run, self._tend.run, self._watch.run)]
        try:
            await self._worker.run()  # until the server stops
            await _end(others)
            await asyncio.Event().wait()  # running turns go on until this process closes its resources
        finally:
            await _end(others)
            await self._worker.close()


async def _end(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
