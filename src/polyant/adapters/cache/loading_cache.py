"""A bounded memory that loads what it doesn't know, once for everybody who asks meanwhile."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LoadingCache(Generic[Key, Value]):
    """Keeps the values last asked for, at most so many.

    What is dropped while it loads is not kept: the load may have begun before the change that caused the drop.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Key, Value] = OrderedDict()
        self._loading: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key, load: Callable[[Key], Awaitable[Value]]) -> Value:
        """Returns the value kept, or the one that `load` returns; all who wait for the same load share its outcome."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        task = self._loading.get(key)
        if task is None:
            task = asyncio.create_task(self._load(key, load))
            task.add_done_callback(retrieve)
            self._loading[key] = task
        return await asyncio.shield(task)  # who stops waiting doesn't stop the load for the others

    def drop(self, key: Key) -> None:
        """Forgets the value, and the load of it that is under way."""
        self._kept.pop(key, None)
        self._loading.pop(key, None)

    def clear(self) -> None:
        """Drops everything."""
        self._kept.clear()
        self._loading.clear()

    async def _load(self, key: Key, load: Callable[[Key], Awaitable[Value]]) -> Value:
        try:
            value = await load(key)
            if self._is_current(key):
                self._keep(key, value)
            return value
        finally:
            if self._is_current(key):
                del self._loading[key]

    def _is_current(self, key: Key) -> bool:
        return self._loading.get(key) is asyncio.current_task()

    def _keep(self, key: Key, value: Value) -> None:
        self._kept[key] = value
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)


def retrieve(task: asyncio.Task[Any]) -> None:
    """Looks at the outcome, which asyncio would otherwise report as missed if everybody had stopped waiting."""
    if not task.cancelled():
        task.exception()
