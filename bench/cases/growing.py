"""Loads that may increase the cost of a request only slightly, if at all."""

import time
from collections.abc import Iterator, Sequence

import msgspec

from bench.databases import slugs_of
from bench.figures import TIMES, Aim, Figure, cpu, interleaved, median, ratio, sample
from bench.harness import Harness, Target
from bench.jobs import Load
from bench.scripts import key_of
from bench.webhooks import WEBHOOK_HEADERS, WEBHOOK_PATH
from polyant.domain.use_cases.channels.receive_events import QUIET_SECONDS

_NEGLIGIBLE = Aim("<", 1.20)
_HISTORIES = (1, 20, 100)
_SIZES = (1_000, 10_000)
_STREAMS = 1_000
_CHATS = 500
_STATISTICS_SECONDS = 2.0
"""The time after which PostgreSQL has published its statistics."""
_OTHER_CHATS = 9_500
_DELIVERIES = 1_000
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


def conversations(harness: Harness) -> Iterator[Figure]:
    """Turns of stored conversations with 100 messages of 200 bytes, with few and with a million in the database."""
    plain = harness.engine()
    few = harness.engine_with_conversations(_CHATS)
    many = harness.engine_with_conversations(_CHATS, others=_OTHER_CHATS)
    loads = {"plain": (plain, plain.load()), "few": (few, few.load(chats=_CHATS))}
    loads["many"] = (many, many.load(chats=_CHATS))
    for target, load in loads.values():  # opens connections, and lets the database read its tables
        sample(harness, target, msgspec.structs.replace(load, requests=2 * _CHATS))
    found: dict[str, list[float]] = {name: [] for name in loads}
    for _ in range(harness.rounds):
        for name, (target, load) in loads.items():
            found[name].append(_total_cpu(harness, target, load))
    yield median("without a stored conversation, PostgreSQL included", found["plain"], unit="ms")
    yield median("100 stored messages, PostgreSQL included", found["few"], unit="ms")
    yield _median_ratio("100 stored messages / none", found["few"], found["plain"], Aim("<=", 5))
    yield _median_ratio("1,000,000 messages in the database / few", found["many"], found["few"], _NEGLIGIBLE)
    yield Figure(name="transactions of a turn", value=_transactions(harness, few), unit="", aim=Aim("<", 5.5))


def webhooks(harness: Harness) -> Iterator[Figure]:
    """Deliveries to a channel's webhook, which stores one message each; they are answered elsewhere."""
    engine, bare = harness.engine_with_webhook(), harness.bare_webhook
    loads = {"engine": (engine, WEBHOOK_PATH, WEBHOOK_HEADERS), "bare": (bare, "/", {})}
    found: dict[str, list[float]] = {name: [] for name in loads}
    number = 1
    for _ in range(harness.rounds + 1):  # the first one opens connections
        for name, (target, path, headers) in loads.items():
            load = Load(port=target.port, path=path, headers=headers, deliveries_from=number, requests=_DELIVERIES)
            found[name].append(_total_cpu(harness, target, load))
            number += 2 * _DELIVERIES
    engine_ms, bare_ms = found["engine"][1:], found["bare"][1:]
    yield median("a signed POST that inserts one row, PostgreSQL included", bare_ms, unit="ms")
    yield median("a delivery to a webhook, PostgreSQL included", engine_ms, unit="ms")
    yield _median_ratio("a delivery / a signed POST", engine_ms, bare_ms, Aim("<=", 3))


def channel_delays(harness: Harness) -> Iterator[Figure]:
    """Messages of a channel, one at a time on an idle server, which waits a second for further ones."""
    processes = {"one process": ("all",), "two processes": ("channels", "api")}
    for name, roles in processes.items():
        url, engines = harness.engines_with_channel(f"delays {len(roles)}", *roles)
        for number in range(harness.rounds + 1):
            load = Load(port=engines[-1].port, path=WEBHOOK_PATH, headers=WEBHOOK_HEADERS, deliveries_from=number)
            sample(harness, engines[-1], msgspec.structs.replace(load, requests=1, connections=1, warm=False))
            time.sleep(2 * QUIET_SECONDS)
        delays = harness.databases.turn_delays(url)[1:]  # the first one opens connections
        yield median(f"beyond the second, {name}", [1_000 * (each - QUIET_SECONDS) for each in delays], unit="ms")
        yield median(f"wait / second, {name}", [each / QUIET_SECONDS for each in delays], TIMES, Aim("<=", 1.05))


def _total_cpu(harness: Harness, target: Target, load: Load) -> float:
    """Returns the CPU milliseconds per request of the server and PostgreSQL together."""
    before = harness.databases.cpu()
    found = sample(harness, target, msgspec.structs.replace(load, seconds=harness.seconds))
    return found.cpu_ms + 1_000 * (harness.databases.cpu() - before) / found.outcome.requests


def _median_ratio(name: str, numerator: Sequence[float], denominator: Sequence[float], aim: Aim) -> Figure:
    ratios = [one / other for one, other in zip(numerator, denominator, strict=True)]
    return median(name, ratios, unit=TIMES, aim=aim)


def _transactions(harness: Harness, target: Target) -> float:
    """Returns the transactions per turn; those of the server itself, a few each second, are included."""
    url = harness.databases.with_conversations(_CHATS, others=0)
    before = harness.databases.transactions(url)
    found = sample(harness, target, target.load(chats=_CHATS, requests=4 * _CHATS))
    time.sleep(_STATISTICS_SECONDS)
    return (harness.databases.transactions(url) - before) / found.outcome.requests


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
