"""The metrics at /metrics."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from polyant.domain.chat import TextDelta, ToolFinished, ToolStarted, TurnFinished, Usage
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import RateLimit
from polyant.domain.secrets import SecretText
from support.app import App, serving
from support.envelopes import assert_refused
from support.scripted_supervisor import TURN_FINISHED, says

TOKEN = "a-token-for-the-scraper"


@pytest.fixture
async def measured() -> AsyncIterator[App]:
    async with serving(metrics_token=SecretText(TOKEN), rate_limit=RateLimit(5, 60)) as app:
        yield app


async def samples_of(app: App) -> dict[str, float]:
    """Returns the samples, by name and labels."""
    text = (await app.get("/metrics", bearer=TOKEN)).body.decode()
    samples = re.findall(r"(?m)^(polyant_[a-z_]+(?:\{.*\})?) (\S+)$", text)
    return {name: float(value) for name, value in samples if "_bucket" not in name and "_created" not in name}


async def increases(app: App, before: dict[str, float]) -> dict[str, float]:
    """Returns the increase of each sample, because this process may have measured other servers before."""
    now = await samples_of(app)
    changes = {name: now[name] - before.get(name, 0) for name in now}
    return {name: change for name, change in changes.items() if change and "/metrics" not in name}


async def test_metrics_require_the_token(measured: App) -> None:
    assert_refused(await measured.get("/metrics"), 401, "Missing Bearer token")
    for wrong in ("wrong", TOKEN + "x", "é"):
        assert_refused(await measured.get("/metrics", bearer=wrong), 401, "Invalid metrics token")
    response = await measured.get("/metrics", bearer=TOKEN)
    assert response.status == 200
    assert (response.header("content-type") or "").startswith("text/plain")


async def test_guesses_of_the_metrics_token_are_limited(measured: App) -> None:
    guesses = [await measured.get("/metrics", bearer=f"guess {number}") for number in range(31)]
    assert [response.status for response in guesses] == [401] * 30 + [429]
    assert (await measured.get("/metrics", bearer=TOKEN)).status == 429
    measured.clock.advance(60)
    assert (await measured.get("/metrics", bearer=TOKEN)).status == 200


async def test_scraper_is_not_refused_for_guesses_from_its_network(measured: App) -> None:
    assert (await measured.get("/metrics", bearer=TOKEN)).status == 200
    for number in range(31):
        await measured.get("/metrics", bearer=f"guess {number}")
    assert (await measured.get("/metrics", bearer=TOKEN)).status == 200


async def test_metrics_are_not_served_without_a_token_in_the_settings(app: App) -> None:
    assert_refused(await app.get("/metrics", bearer=TOKEN), 404, "Cannot GET /metrics")


async def test_requests_are_counted_by_route_and_status(measured: App) -> None:
    before = await samples_of(measured)
    await measured.get("/v1/models/one")
    await measured.get("/v1/models/two")
    await measured.get("/nothing/at/all")
    await measured.request("HEAD", "/health")
    changes = await increases(measured, before)
    counted = {name: change for name, change in changes.items() if "requests_total" in name}
    assert counted == {
        'polyant_http_requests_total{method="GET",route="/v1/models/{slug}",status="401"}': 2,
        'polyant_http_requests_total{method="GET",route="",status="404"}': 1,
        'polyant_http_requests_total{method="HEAD",route="/health",status="200"}': 1,
    }
    assert changes['polyant_http_request_seconds_count{route="/v1/models/{slug}"}'] == 2


async def test_finished_turn_is_counted_with_its_times_steps_tools_and_tokens(measured: App) -> None:
    before = await samples_of(measured)
    names = ("calculate", "crm__find", "made_up")
    tools = [
        event
        for name in names
        for event in (
            ToolStarted(call_id=name, name=name),
            ToolFinished(call_id=name, name=name, milliseconds=1_500, ok=name == "calculate"),
        )
    ]
    measured.supervisor.plays(*tools, *says("Hello!"))
    assert (await measured.chat()).status == 200
    changes = await increases(measured, before)
    provider = re.escape((await measured.repo.get(measured.supervisor.turns[0].instance.slug)).provider)  # type: ignore[union-attr]
    assert changes['polyant_turns_total{instance="demo-bot",outcome="finished"}'] == 1
    assert (changes["polyant_turn_seconds_count"], changes["polyant_first_token_seconds_count"]) == (1, 1)
    assert changes["polyant_turn_steps_sum"] == 1
    tokens = {name: change for name, change in changes.items() if "tokens_total" in name}
    labels = f'instance="demo-bot",kind="{{}}",provider="{provider}"'
    assert tokens == {
        f"polyant_tokens_total{{{labels.format('prompt')}}}": 7,
        f"polyant_tokens_total{{{labels.format('completion')}}}": 5,
    }
    assert {name: change for name, change in changes.items() if "tool" in name} == {
        'polyant_tool_seconds_count{tool="calculate"}': 1,
        'polyant_tool_seconds_sum{tool="calculate"}': 1.5,
        'polyant_tool_seconds_count{tool="mcp"}': 1,
        'polyant_tool_seconds_sum{tool="mcp"}': 1.5,
        'polyant_tool_seconds_count{tool="unknown"}': 1,
        'polyant_tool_seconds_sum{tool="unknown"}': 1.5,
        'polyant_tool_failures_total{tool="mcp"}': 1,
        'polyant_tool_failures_total{tool="unknown"}': 1,
    }


async def test_failed_abandoned_and_throttled_turns_are_counted_separately(measured: App) -> None:
    before = await samples_of(measured)
    measured.supervisor.plays(TextDelta("Hel"), ProviderError("vendor", ProviderFailure.AUTH))
    await measured.chat(stream=True)
    measured.supervisor.plays(asyncio.Event(), TURN_FINISHED)
    leaving = measured.start_chat()
    await measured.supervisor.runs()
    leaving.disconnect()
    await leaving.over()
    measured.supervisor.plays(*says("Hello!"))
    statuses = [(await measured.chat()).status for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    changes = await increases(measured, before)
    assert {name: change for name, change in changes.items() if "turns_total" in name or "throttled" in name} == {
        'polyant_turns_total{instance="demo-bot",outcome="failed"}': 1,
        'polyant_turns_total{instance="demo-bot",outcome="abandoned"}': 1,
        'polyant_turns_total{instance="demo-bot",outcome="finished"}': 3,
        "polyant_throttled_requests_total": 1,
    }


async def test_cached_tokens_are_counted_as_a_kind_of_their_own(measured: App) -> None:
    before = await samples_of(measured)
    measured.supervisor.plays(TurnFinished(usage=Usage(9, 5, 4), steps=1, milliseconds=1.0))
    assert (await measured.chat()).status == 200
    changes = await increases(measured, before)
    assert [change for name, change in changes.items() if 'kind="cached"' in name] == [4]
