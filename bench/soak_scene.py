"""What callers and the operator both know: keys, versions, when the database was away, and the book of answers."""

import asyncio
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

SETTLE_SECONDS = 1.5
"""After this long every worker has seen a change: it promises a second."""

HEAL_SECONDS = 5.0
"""After this long a database that came back has to be used again."""

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
}
"""The instances that stay, and the provider's model of each."""


class Failure(msgspec.Struct, frozen=True):
    """Something that should not have happened."""

    at: float
    kind: str
    what: str


class Book:
    """How often each kind of request was answered in which way, and every answer that was wrong."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.failures: list[Failure] = []
        self.total = 0
        self.away = 0
        self.last_away_at = 0.0

    @contextmanager
    def entry(self, kind: str) -> Iterator[None]:
        """Counts what is done as right, or records what it raises; whatever that is, it should not have happened."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - see above
            self.fail(kind, f"{type(error).__name__}: {error}")
        else:
            self.note(kind, "as expected")

    def note(self, kind: str, outcome: str) -> None:
        """Counts a right answer."""
        self.counts[kind][outcome] += 1
        self.total += 1

    def note_away(self, kind: str) -> None:
        """Counts an answer that is right while the database is away."""
        self.note(kind, "503 while the database is away")
        self.away += 1
        self.last_away_at = self.now()

    def fail(self, kind: str, what: str) -> None:
        """Records what went wrong, and when."""
        self.counts[kind]["wrong"] += 1
        self.total += 1
        self.failures.append(Failure(round(self.now(), 1), kind, what))

    def now(self) -> float:
        """Returns the seconds since the soak began."""
        return time.monotonic() - self._began


class Outage:
    """The time for which the database is away, with some more to heal."""

    def __init__(self) -> None:
        self._begins = math.inf
        self._ends = math.inf

    def begin(self) -> None:
        """The database is about to go away."""
        self._begins = time.monotonic()

    def end(self) -> None:
        """The database is back."""
        self._ends = time.monotonic() + HEAL_SECONDS

    def may_have_met(self, began: float) -> bool:
        """Returns whether a request that began then, and was answered now, may have found the database away."""
        return began < self._ends and time.monotonic() > self._begins


class Scene:
    """Everything that requests depend on."""

    def __init__(self) -> None:
        self.book = Book()
        self.outage = Outage()
        self.writing = asyncio.Lock()
        """Held by whoever changes something: a change that meets the outage may have taken effect or not."""
        self.keys: dict[str, str] = {}
        self.rotated_at = -math.inf
        """Infinite while it isn't known yet whether the old or the new key of `soak-rotated` is good."""
        self.oldest_version = 0
        """Of the prompt that may still be answered from."""
        self.newest_version = 0

    def key_may_be_unknown(self, began: float) -> bool:
        """Returns whether a worker may not have known the current key of `soak-rotated` after that moment."""
        return began < self.rotated_at + SETTLE_SECONDS
