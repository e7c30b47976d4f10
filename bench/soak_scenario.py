"""The state that callers and the operator share: keys, prompt versions, the database outage, and the outcomes."""

import asyncio
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

SETTLE_SECONDS = 1.5
"""The time after which every worker has seen a change; the documented limit is one second."""

RECOVERY_SECONDS = 5.0
"""The time after which a database that came back must be in use again."""

MODELS = {
    "soak-fast": "fast",
    "soak-paced": "paced",
    "soak-slow": "slow",
    "soak-tools": "tools",
    "soak-prompt": "prompt",
    "soak-broken": "broken",
    "soak-throttled": "throttled",
    "soak-cut": "cut",
    "soak-rotated": "fast",
    "soak-graced": "fast",
    "soak-flood": "flood",
}
"""The permanent instances, and the provider's model of each."""


class Failure(msgspec.Struct, frozen=True):
    """An unexpected result."""

    at: float
    kind: str
    message: str


class OutcomeCounter:
    """Counts the outcomes of each kind of request, and records every wrong response."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.failures: list[Failure] = []
        self.total = 0
        self.away = 0
        self.last_unavailable_at = 0.0

    @contextmanager
    def entry(self, kind: str) -> Iterator[None]:
        """Counts the work in the context as correct, or records the exception that it raises as a failure."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - any exception is a failure
            self.fail(kind, f"{type(error).__name__}: {error}")
        else:
            self.count(kind, "as expected")

    def count(self, kind: str, outcome: str) -> None:
        """Counts a correct response."""
        self.counts[kind][outcome] += 1
        self.total += 1

    def count_unavailable(self, kind: str) -> None:
        """Counts a response that is correct only while the database is down."""
        self.count(kind, "503 while the database is down")
        self.away += 1
        self.last_unavailable_at = self.now()

    def fail(self, kind: str, message: str) -> None:
        """Records a failure with the current time."""
        self.counts[kind]["wrong"] += 1
        self.total += 1
        self.failures.append(Failure(round(self.now(), 1), kind, message))

    def now(self) -> float:
        """Returns the seconds since the soak began."""
        return time.monotonic() - self._began


class Outage:
    """The outage of the database, including the time to recover."""

    def __init__(self) -> None:
        self._begins = math.inf
        self._ends = math.inf

    def begin(self) -> None:
        """Marks the start: the database is about to stop."""
        self._begins = time.monotonic()

    def end(self) -> None:
        """Marks the end: the database is back."""
        self._ends = time.monotonic() + RECOVERY_SECONDS

    def may_have_affected(self, began: float) -> bool:
        """Returns whether the outage may have affected a request that began then and got its response now."""
        return began < self._ends and time.monotonic() > self._begins


class Scenario:
    """The state of one soak."""

    def __init__(self) -> None:
        self.outcomes = OutcomeCounter()
        self.outage = Outage()
        self.writing = asyncio.Lock()
        """Held during each change, because a change during the outage may or may not take effect."""
        self.keys: dict[str, str] = {}
        self.rotated_at = -math.inf
        """Infinite while it isn't known whether the old or the new key of `soak-rotated` is valid."""
        self.oldest_version = 0
        """The oldest version of the prompt that a worker may still use."""
        self.newest_version = 0

    def key_may_be_unknown(self, began: float) -> bool:
        """Returns whether a worker may not yet have known the current key of `soak-rotated` at that moment."""
        return began < self.rotated_at + SETTLE_SECONDS
