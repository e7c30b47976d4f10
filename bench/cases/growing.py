"""What must not make a request dearer, or not by much."""

from collections.abc import Iterator

import msgspec

from bench.databases import slugs_of
from bench.figures import Aim, Figure, cpu, interleaved, ratio, sample
from bench.jobs import Load
from bench.scripts import key_of
from bench.stage import Stage, Target

_LITTLE = Aim("<", 1.20)
_HISTORIES = (1, 20, 100)
_SIZES = (1_000, 10_000)
_STREAMS = 1_000
_MAX_ASKED = 1_000
"""Instances that the requests are spread over, unless there is time to ask all of them once before."""


def histories(stage: Stage) -> Iterator[Figure]:
    """Conversations of several messages of 200 bytes."""
    engine, relay = stage.engine(), stage.relay
    loads = {f"engine {many}": (engine, engine.asking(history=many)) for many in _HISTORIES}
    loads |= {f"relay {many}": (relay, relay.asking(history=many)) for many in (_HISTORIES[0], _HISTORIES[-1])}
    found = interleaved(stage, loads)
    for many in _HISTORIES:
        yield cpu(f"{many} message{'s' * (many > 1)}", found[f"engine {many}"])
    for many in _HISTORIES[1:]:
        aim = _LITTLE if many == _HISTORIES[-1] else None
        yield ratio(f"{many} messages / 1", found[f"engine {many}"], found["engine 1"], aim)
    yield ratio("the same of the bare relay, 100 / 1", found["relay 100"], found["relay 1"])


def instances(stage: Stage) -> Iterator[Figure]:
    """Many instances in the database, one of them or all of them called."""
    one = stage.engine("1 instance", instances=1)
    loads = {"1": (one, one.asking())}
    for size in _SIZES:
        engine = stage.engine(f"{size} instances", instances=size)
        everyone = slugs_of(size if stage.long else _MAX_ASKED)
        spread = Load(port=engine.port, models=everyone, key=engine.key)
        # The first request to an instance reads it from the database.
        stage.loader.load(engine.process, msgspec.structs.replace(spread, requests=len(everyone)))
        loads[f"{size:,}, one asked"] = (engine, engine.asking())
        loads[f"{size:,}, {len(everyone):,} asked"] = (engine, spread)
    found = interleaved(stage, loads)
    yield cpu("1 instance", found["1"])
    for name in list(loads)[1:]:
        yield ratio(f"{name} / 1", found[name], found["1"], _LITTLE)


def listing(stage: Stage) -> Iterator[Figure]:
    """GET /v1/models with few and with many instances."""
    loads: dict[str, tuple[Target, Load]] = {}
    for size, engine in ((10, stage.engine()), (10_000, stage.engine("10000 instances", instances=10_000))):
        key = key_of("plain")
        loads[f"{size:,}"] = (engine, Load(port=engine.port, path="/v1/models", key=key, connections=4))
    found = interleaved(stage, loads)
    for name, samples in found.items():
        yield cpu(f"{name} instances", samples)


def idle_streams(stage: Stage) -> Iterator[Figure]:
    """An ordinary request, while a thousand streams are open and silent."""
    plain, crowded = stage.engine(), stage.engine("crowded")
    sample(stage, crowded, crowded.asking(requests=1_000))  # so that what it holds for good is there before
    before = crowded.process.rss()
    with stage.loader.holding(crowded.holding("silent", _STREAMS)):
        held = crowded.process.rss() - before
        loads = {"plain": (plain, plain.asking()), "crowded": (crowded, crowded.asking())}
        found = interleaved(stage, loads, times=3)
    yield cpu("no streams", found["plain"])
    yield cpu("1,000 idle streams", found["crowded"])
    yield ratio("1,000 idle streams / none", found["crowded"], found["plain"], _LITTLE)
    yield Figure(what="memory of an idle stream", value=1_024 * held / _STREAMS, unit="KiB", aim=Aim("<", 64))
