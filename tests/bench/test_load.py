"""The load generator against the stub, without a server between them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bench.figures import sample
from bench.harness import Harness, Target
from bench.jobs import Load
from bench.requests import requests_of
from bench.scripts import PACED_DELTAS


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    with ExitStack() as stack:
        yield Harness(stack, tmp_path_factory.mktemp("bench"), rounds=1, seconds=0.05, long=False)


@pytest.fixture
def stub(harness: Harness) -> Target:
    return harness.stub


def test_whole_responses_are_counted(harness: Harness, stub: Target) -> None:
    found = sample(harness, stub, stub.load(requests=20, connections=4))
    assert found.outcome.statuses == {"200": 20}
    assert found.outcome.failures == 0
    assert found.cpu_ms > 0


def test_headers_are_sent_with_each_request() -> None:
    requests = requests_of(Load(port=1, models=("a",), addresses=2, headers={"x-provider": "openai"}))
    assert [request.count(b"\r\nx-provider: openai\r\n") for request in requests] == [1, 1]


def test_load_with_a_duration_ends(harness: Harness, stub: Target) -> None:
    outcome = sample(harness, stub, stub.load(seconds=0.05, connections=2)).outcome
    assert outcome.requests >= 2
    assert outcome.statuses == {"200": outcome.requests}


def test_each_delta_of_a_stream_is_counted_once(harness: Harness, stub: Target) -> None:
    outcome = sample(harness, stub, stub.load(stream=True, requests=6, connections=3)).outcome
    assert outcome.deltas == 6 * 200


def test_stream_with_missing_deltas_is_a_failure(harness: Harness, stub: Target) -> None:
    load = stub.load(stream=True, requests=3, connections=1, deltas=PACED_DELTAS)
    assert sample(harness, stub, load, strict=False).outcome.failures == 3
    with pytest.raises(SystemExit, match="3 of 3 responses"):
        sample(harness, stub, load)


def test_gaps_of_a_paced_stream_match_its_pace(harness: Harness, stub: Target) -> None:
    load = Load(port=stub.port, models=("deltas-5-pace-50",), stream=True, requests=2, connections=2, deltas=5)
    gaps = sample(harness, stub, load).outcome.gaps
    assert gaps is not None
    assert gaps.maximum > 0


def test_silent_streams_are_held_open(harness: Harness, stub: Target) -> None:
    with harness.loader.holding(stub.hold("silent", 5)):
        assert sample(harness, stub, stub.load(requests=2, connections=1)).outcome.failures == 0


def test_ended_streams_are_not_held_open(harness: Harness, stub: Target) -> None:
    with (
        pytest.raises(SystemExit, match="of 2 streams of deltas-200 are open"),
        harness.loader.holding(stub.hold("plain", 2)),
    ):
        pass
