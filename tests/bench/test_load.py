"""The load against the stub: both ends of the yardstick, without a server between them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bench.figures import sample
from bench.jobs import Load
from bench.requests import requests_of
from bench.scripts import PACED_DELTAS
from bench.stage import Stage, Target


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack, tmp_path_factory.mktemp("bench"), rounds=1, seconds=0.05, long=False)


@pytest.fixture
def stub(stage: Stage) -> Target:
    return stage.stub


def test_whole_answers_are_counted(stage: Stage, stub: Target) -> None:
    found = sample(stage, stub, stub.asking(requests=20, connections=4))
    assert found.outcome.statuses == {"200": 20}
    assert found.outcome.failures == 0
    assert found.cpu_ms > 0


def test_headers_go_with_each_request() -> None:
    requests = requests_of(Load(port=1, models=("a",), addresses=2, headers={"x-provider": "openai"}))
    assert [request.count(b"\r\nx-provider: openai\r\n") for request in requests] == [1, 1]


def test_load_by_the_clock_ends(stage: Stage, stub: Target) -> None:
    outcome = sample(stage, stub, stub.asking(seconds=0.05, connections=2)).outcome
    assert outcome.requests >= 2
    assert outcome.statuses == {"200": outcome.requests}


def test_deltas_of_streams_are_counted_each_once(stage: Stage, stub: Target) -> None:
    outcome = sample(stage, stub, stub.asking(stream=True, requests=6, connections=3)).outcome
    assert outcome.deltas == 6 * 200


def test_stream_that_lacks_deltas_is_a_failure(stage: Stage, stub: Target) -> None:
    load = stub.asking(stream=True, requests=3, connections=1, deltas=PACED_DELTAS)
    assert sample(stage, stub, load, strict=False).outcome.failures == 3
    with pytest.raises(SystemExit, match="3 of 3 answers"):
        sample(stage, stub, load)


def test_gaps_of_a_paced_stream_are_those_of_its_pace(stage: Stage, stub: Target) -> None:
    load = Load(port=stub.port, models=("deltas-5-pace-50",), stream=True, requests=2, connections=2, deltas=5)
    gaps = sample(stage, stub, load).outcome.gaps
    assert gaps is not None
    assert gaps.most > 0


def test_silent_streams_are_held_open(stage: Stage, stub: Target) -> None:
    with stage.loader.holding(stub.holding("silent", 5)):
        assert sample(stage, stub, stub.asking(requests=2, connections=1)).outcome.failures == 0


def test_streams_that_end_are_not_held(stage: Stage, stub: Target) -> None:
    with (
        pytest.raises(SystemExit, match="of 2 streams of deltas-200 are open"),
        stage.loader.holding(stub.holding("plain", 2)),
    ):
        pass
