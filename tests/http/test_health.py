"""Liveness and readiness."""

import asyncio

import pytest

from polyant.domain.adapter_health import AdapterHealth
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.running_turns import RunningTurns
from polyant.domain.use_cases.check_storage import CheckStorage
from polyant.http.health import Readiness
from polyant.testing.manual_clock import ManualClock
from support.app import App


async def test_health_is_the_documented_object_with_the_current_time(app: App) -> None:
    expected = b'{"status":"ok","timestamp":"2026-11-22T10:44:01.500Z","service":"polyant"}'
    app.clock.advance(1.5)
    for target in ("/health", "/health/", "/health/ready"):
        response = await app.get(target)
        assert (response.status, response.body) == (200, expected)
        assert response.header("content-type") == "application/json"


async def test_server_without_its_database_is_alive_but_not_ready(app: App) -> None:
    app.storage_failure = StorageUnavailableError()
    for _ in range(2):  # the second response is that of the same check
        refused = await app.get("/health/ready")
        assert refused.status == 503
        expected = b'{"statusCode":503,"message":"The storage is unavailable","error":"Service Unavailable"}'
        assert refused.body == expected
        assert refused.header("retry-after") == "1"
    assert (await app.get("/health")).status == 200
    app.storage_failure = None
    app.clock.advance(1)
    assert (await app.get("/health/ready")).status == 200


class GatedCheck(CheckStorage):
    """A check of the database that waits for a gate and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self) -> None:
        self.calls += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.check = GatedCheck()
        self.readiness = Readiness(
            clock=self.clock,
            turns=RunningTurns(max_turns=1),
            check_storage=self.check,
            adapter_health=AdapterHealth(adapters=(), clock=self.clock),
        )


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_concurrent_probes_share_one_check(rig: Rig) -> None:
    probes = [asyncio.ensure_future(rig.readiness.ready()) for _ in range(50)]
    await asyncio.sleep(0)
    rig.clock.advance(10)  # even if it takes long
    probes += [asyncio.ensure_future(rig.readiness.ready()) for _ in range(50)]
    await asyncio.sleep(0)
    rig.check.gate.set()
    assert {health.status for health in await asyncio.gather(*probes)} == {"ok"}
    assert rig.check.calls == 1


async def test_database_is_checked_at_most_once_a_second(rig: Rig) -> None:
    rig.check.gate.set()
    for _ in range(40):  # four calls a second for ten seconds
        await rig.readiness.ready()
        rig.clock.advance(0.25)
    assert rig.check.calls == 10


async def test_outage_is_reported_to_all_probes_of_a_second_and_found_over_after_it(rig: Rig) -> None:
    rig.check.gate.set()
    rig.check.failure = StorageUnavailableError()
    probes = [rig.readiness.ready() for _ in range(5)]
    outcomes = await asyncio.gather(*probes, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StorageUnavailableError}
    rig.check.failure = None
    with pytest.raises(StorageUnavailableError):
        await rig.readiness.ready()
    rig.clock.advance(1)
    await rig.readiness.ready()
    assert rig.check.calls == 2


async def test_probe_that_disconnects_does_not_cancel_the_check_for_others(rig: Rig) -> None:
    gone, stays = [asyncio.ensure_future(rig.readiness.ready()) for _ in range(2)]
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    rig.check.gate.set()
    assert (await stays).status == "ok"
    assert gone.cancelled()
    assert rig.check.calls == 1
