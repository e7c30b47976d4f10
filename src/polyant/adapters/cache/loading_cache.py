"""A bounded LRU cache that loads missing values; concurrent callers share one load."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LoadingCache(Generic[Key, Value]):
    """Keeps the most recently used values.

    A value that is dropped while it loads is not cached: the load may have started before the change.

    Args:
        max_values: How many values are kept.
    """

    def __init__(self, max_values: int) -> None:
        self._max_values = max_values
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._loading: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key, load: Callable[[Key], Awaitable[Value]]) -> Value:
        """Returns the cached value or the result of `load`; all callers that wait for one load share its outcome."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        task = self._loading.get(key)
        if task is None:
            task = asyncio.create_task(self._load(key, load))
            task.add_done_callback(retrieve_exception)
            self._loading[key] = task
        return await asyncio.shield(task)  # a cancelled caller must not cancel the others' load

    def drop(self, key: Key) -> None:
        """Drops the value; a running load of it is not cached."""
        self._values.pop(key, None)
        self._loading.pop(key, None)

    def clear(self) -> None:
        """Drops all values."""
        self._values.clear()
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
        self._values[key] = value
        if len(self._values) > self._max_values:
            self._values.popitem(last=False)


def retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Retrieves the task's exception, so that asyncio doesn't report it when all callers are gone."""
    if not task.cancelled():
        task.exception()
