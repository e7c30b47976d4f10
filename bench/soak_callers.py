"""Callers of every kind, which check each response."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import msgspec

from bench.soak_checks import (
    WrongAnswerError,
    check,
    check_broken_stream,
    check_envelope,
    check_json,
    check_stream,
    check_whole,
)
from bench.soak_client import Client, DatabaseDownError
from bench.soak_scenario import MODELS, Scenario
from bench.soak_upstream import TEXTS

_TIMEOUT_SECONDS = 60.0
_EVENTS_BEFORE_LEAVING = 5
_LEAVE_AFTER_SECONDS = 0.3
_FAILED = "The model provider failed to answer (openai: {})"


class Callers:
    """Makes requests at a steady rate, without waiting for earlier responses."""

    def __init__(self, client: Client, scenario: Scenario) -> None:
        self._client = client
        self._scenario = scenario
        self._random = random.Random(7)  # noqa: S311 - not used for security
        self._calls: set[asyncio.Task[None]] = set()

    async def call(self, *, rate: float, seconds: float) -> None:
        """Makes `rate` requests per second for that many seconds, and returns after the last response."""
        kinds, weights = [*KINDS], [kind.weight for kind in KINDS.values()]
        ends = time.monotonic() + seconds
        next_at = time.monotonic()
        while (now := time.monotonic()) < ends:
            if now < next_at:
                await asyncio.sleep(next_at - now)
            next_at += 1 / rate
            task = asyncio.create_task(self._call(*self._random.choices(kinds, weights)))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        await asyncio.gather(*self._calls)

    async def _call(self, kind: str) -> None:
        outcomes = self._scenario.outcomes
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                outcome = await KINDS[kind].run(self)
        except DatabaseDownError:
            outcomes.count_unavailable(kind)
        except Exception as error:  # noqa: BLE001 - any exception is a failure
            outcomes.fail(kind, f"{type(error).__name__}: {error}")
        else:
            outcomes.count(kind, outcome or "as expected")

    async def whole(self) -> None:
        """Requests a whole response."""
        check_whole(await self._client.chat("soak-fast"), "soak-fast", TEXTS["fast"])

    async def stream(self) -> None:
        """Requests a stream of 200 deltas that the provider sends at once."""
        check_stream(await self._client.chat("soak-fast", stream=True), "soak-fast", TEXTS["fast"])

    async def paced_stream(self) -> None:
        """Requests a stream of 100 deltas at 50 per second."""
        check_stream(await self._client.chat("soak-paced", stream=True), "soak-paced", TEXTS["paced"])

    async def leave_stream(self) -> None:
        """Disconnects in the middle of a stream."""
        began = time.monotonic()
        async with self._client.post("soak-paced", stream=True) as response:
            await self._client.expect_head(response, began)
            for _ in range(_EVENTS_BEFORE_LEAVING):
                check((await response.content.readuntil(b"\n\n"))[:6], b"data: ", "the beginning of an event")
            response.close()

    async def leave_early(self) -> None:
        """Disconnects before the response begins."""
        try:
            async with asyncio.timeout(_LEAVE_AFTER_SECONDS):
                reply = await self._client.chat("soak-slow", stream=self._random.random() < 0.5)
        except TimeoutError:
            return
        raise WrongAnswerError(f"{reply.status} arrived before the provider responded")

    async def tools(self) -> None:
        """Requests a turn that calls a tool."""
        stream = self._random.random() < 0.5
        reply = await self._client.chat("soak-tools", stream=stream)
        (check_stream if stream else check_whole)(reply, "soak-tools", TEXTS["tools"])

    async def prompt(self) -> None:
        """Checks which version of the prompt is in use."""
        scenario = self._scenario
        oldest = scenario.oldest_version
        reply = await self._client.chat("soak-prompt")
        text = check_json(reply)["choices"][0]["message"]["content"]
        allowed = {f"Version {number}" for number in range(oldest, scenario.newest_version + 1)}
        check(text in allowed, True, f"whether {text} is one of {sorted(allowed)}")

    async def rotated(self) -> str | None:
        """Uses a key that was replaced without an overlap period."""
        began = time.monotonic()
        reply = await self._client.chat("soak-rotated")
        if reply.status == 401 and self._scenario.key_may_be_unknown(began):
            check_envelope(reply, 401, "Invalid API key")
            return "401 within a second of a new key"
        check_whole(reply, "soak-rotated", TEXTS["fast"])
        return None

    async def graced(self) -> None:
        """Uses a key that is replaced with an overlap period."""
        check_whole(await self._client.chat("soak-graced"), "soak-graced", TEXTS["fast"])

    async def bad_json(self) -> None:
        """Sends a truncated body."""
        reply = await self._client.chat("soak-fast", body=b'{"model": "soak-fast", "messages": [')
        check(check_json(reply, 400)["error"], "Bad Request", "the error")

    async def wrong_key(self) -> None:
        """Uses a key that doesn't exist."""
        check_envelope(await self._client.chat("soak-fast", key="sk-of-nobody"), 401, "Invalid API key")

    async def unknown_model(self) -> None:
        """Calls an instance that doesn't exist."""
        body = msgspec.json.encode({"model": "soak-nothing", "messages": [{"role": "user", "content": "Hello!"}]})
        check_envelope(await self._client.chat("soak-fast", body=body), 401, "Unknown model")

    async def broken_provider(self) -> None:
        """Calls a provider that fails with status 500."""
        reply = await self._client.chat("soak-broken", stream=self._random.random() < 0.5)
        check_envelope(reply, 502, _FAILED.format("bad_response"))

    async def throttled_provider(self) -> None:
        """Calls a provider that fails with status 429."""
        check_envelope(await self._client.chat("soak-throttled"), 502, _FAILED.format("rate_limit"))

    async def cut_stream(self) -> None:
        """Requests a stream that the provider cuts off."""
        reply = await self._client.chat("soak-cut", stream=True)
        check_broken_stream(reply, "soak-cut", TEXTS["fast"], _FAILED.format("bad_response"))

    async def models(self) -> None:
        """Lists the models."""
        listed = check_json(await self._client.get("/v1/models", key=self._scenario.keys["soak-fast"]))["data"]
        check([model["id"] for model in listed if model["id"] in MODELS], [*MODELS], "the list of models")

    async def health(self) -> None:
        """Checks liveness and readiness."""
        check(check_json(await self._client.get("/health"))["status"], "ok", "the status of /health")
        check(check_json(await self._client.get("/health/ready"))["status"], "ok", "the status of /health/ready")


class Kind(NamedTuple):
    """A kind of request, and its relative frequency."""

    weight: int
    run: Callable[[Callers], Awaitable[str | None]]


KINDS: Mapping[str, Kind] = {
    "whole response": Kind(25, Callers.whole),
    "stream": Kind(14, Callers.stream),
    "paced stream": Kind(10, Callers.paced_stream),
    "client disconnect in mid-stream": Kind(8, Callers.leave_stream),
    "client disconnect before the response": Kind(4, Callers.leave_early),
    "turn with a tool": Kind(6, Callers.tools),
    "edited prompt": Kind(4, Callers.prompt),
    "key replaced at once": Kind(4, Callers.rotated),
    "key replaced with an overlap period": Kind(4, Callers.graced),
    "invalid JSON": Kind(3, Callers.bad_json),
    "wrong key": Kind(4, Callers.wrong_key),
    "unknown model": Kind(3, Callers.unknown_model),
    "provider error 500": Kind(2, Callers.broken_provider),
    "provider error 429": Kind(2, Callers.throttled_provider),
    "provider cuts a stream off": Kind(2, Callers.cut_stream),
    "list of models": Kind(3, Callers.models),
    "health": Kind(2, Callers.health),
}
