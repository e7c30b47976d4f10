"""Loads that may increase the cost of a request only slightly, if at all."""

from collections.abc import Iterator

import msgspec

from bench.databases import slugs_of
from bench.figures import Aim, Figure, cpu, interleaved, ratio, sample
from bench.harness import Harness, Target
from bench.jobs import Load
from bench.scripts import key_of

_NEGLIGIBLE = Aim("<", 1.20)
_HISTORIES = (1, 20, 100)
_SIZES = (1_000, 10_000)
_STREAMS = 1_000
_MAX_CALLED = 1_000
"""The number of instances that requests are spread over; a long run first calls every instance once."""


def histories(harness: Harness) -> Iterator[Figure]:
    """Conversations of several messages of 200 bytes."""
    engine, relay = harness.engine(), harness.relay
    loads = {f"engine {many}": (engine, engine.load(history=many)) for many in _HISTORIES}
    loads |= {f"relay {many}": (relay, relay.load(history=many)) for many in (_HISTORIES[0], _HISTORIES[-1])}
    found = interleaved(harness, loads)
    for many in _HISTORIES:
        yield cpu(f"{many} message{'s' * (many > 1)}", found[f"engine {many}"])
    for many in _HISTORIES[1:]:
        aim = _NEGLIGIBLE if many == _HISTORIES[-1] else None
        yield ratio(f"{many} messages / 1", found[f"engine {many}"], found["engine 1"], aim)
    yield ratio("the same of the bare relay, 100 / 1", found["relay 100"], found["relay 1"])


def instances(harness: Harness) -> Iterator[Figure]:
    """Many instances in the database, one of them or all of them called."""
    one = harness.engine("1 instance", instances=1)
    loads = {"1": (one, one.load())}
    for size in _SIZES:
        engine = harness.engine(f"{size} instances", instances=size)
        all_slugs = slugs_of(size if harness.long else _MAX_CALLED)
        spread = Load(port=engine.port, models=all_slugs, key=engine.key)
        # The first request to an instance reads it from the database.
        harness.loader.load(engine.process, msgspec.structs.replace(spread, requests=len(all_slugs)))
        loads[f"{size:,}, one called"] = (engine, engine.load())
        loads[f"{size:,}, {len(all_slugs):,} called"] = (engine, spread)
    found = interleaved(harness, loads)
    yield cpu("1 instance", found["1"])
    for name in list(loads)[1:]:
        yield ratio(f"{name} / 1", found[name], found["1"], _NEGLIGIBLE)


def listing(harness: Harness) -> Iterator[Figure]:
    """`GET /v1/models` with few and with many instances."""
    loads: dict[str, tuple[Target, Load]] = {}
    for size, engine in ((10, harness.engine()), (10_000, harness.engine("10000 instances", instances=10_000))):
        key = key_of("plain")
        loads[f"{size:,}"] = (engine, Load(port=engine.port, path="/v1/models", key=key, connections=4))
    found = interleaved(harness, loads)
    for name, samples in found.items():
        yield cpu(f"{name} instances", samples)


def idle_streams(harness: Harness) -> Iterator[Figure]:
    """An ordinary request while a thousand silent streams are open."""
    plain, crowded = harness.engine(), harness.engine("crowded")
    sample(harness, crowded, crowded.load(requests=1_000))  # allocates name the engine keeps permanently
    before = crowded.process.rss()
    with harness.loader.holding(crowded.hold("silent", _STREAMS)):
        held = crowded.process.rss() - before
        loads = {"plain": (plain, plain.load()), "crowded": (crowded, crowded.load())}
        found = interleaved(harness, loads, times=3)
    yield cpu("no streams", found["plain"])
    yield cpu("1,000 idle streams", found["crowded"])
    yield ratio("1,000 idle streams / none", found["crowded"], found["plain"], _NEGLIGIBLE)
    yield Figure(name="memory of an idle stream", value=1_024 * held / _STREAMS, unit="KiB", aim=Aim("<", 64))
