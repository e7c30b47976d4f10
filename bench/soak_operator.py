"""The operator of the soak: creates the instances, then changes them over the management API under load."""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec

from bench.soak_checks import Reply, check, check_envelope, check_json, check_whole
from bench.soak_client import random_address
from bench.soak_harness import EMAIL, SoakHarness
from bench.soak_scenario import MODELS, SETTLE_SECONDS, Scenario
from bench.soak_upstream import TEXTS

_PAUSE_SECONDS = 2.0
_OVERLAP_SECONDS = 4
_CHECKS_PER_CHANGE = 6  # each on a new connection, so that both workers are called
_ADDRESS = {"X-Forwarded-For": "198.51.100.1"}
"""The operator's own address: no other client can use up its limits of logins and failed credentials."""


class Operator:
    """Performs one task after another, and checks the result of each."""

    def __init__(self, http: aiohttp.ClientSession, harness: SoakHarness, scenario: Scenario) -> None:
        """Creates the operator.

        Args:
            http: A session that opens a new connection for each request.
            harness: The running processes.
            scenario: The state that the operator shares with the callers.
        """
        self._http = http
        self._harness = harness
        self._scenario = scenario
        self._token = ""
        self._may_lack_session = False
        self._random = random.Random(11)  # noqa: S311 - not used for security

    async def set_up(self) -> None:
        """Creates the instances and their keys."""
        await self._log_in()
        for slug in MODELS:
            await self._create(slug)
        await self._api("PATCH", "/instances/soak-tools/tools", {"enabled": ["calculate"]})
        await self._edit_prompt()
        await asyncio.sleep(SETTLE_SECONDS)

    async def work(self) -> None:
        """Performs tasks until it is cancelled."""
        tasks: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
            ("operator replaces a key at once", self._rotate),
            ("operator edits a prompt", self._edit_prompt),
            ("operator edits an instance", self._edit_instance),
            ("operator replaces a key with an overlap period", self._rotate_with_overlap),
            ("operator creates and deletes an instance", self._create_and_delete),
            ("operator reads", self._read),
            ("operator logs out and in", self._renew_session),
        )
        while True:
            for name, task in tasks:
                async with self._scenario.writing:
                    with self._scenario.outcomes.entry(name):
                        await self._perform(task)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _perform(self, task: Callable[[], Awaitable[None]]) -> None:
        """Performs one task, after a new login if an earlier task failed and left no session."""
        if self._may_lack_session and (await self._call("GET", "/auth/me")).status != 200:
            await self._log_in()
        self._may_lack_session = True
        await task()
        self._may_lack_session = False

    async def _rotate(self) -> None:
        old = self._scenario.keys["soak-rotated"]
        self._scenario.rotated_at = math.inf
        new = await self._issue_key("soak-rotated")
        self._scenario.keys["soak-rotated"], self._scenario.rotated_at = new, time.monotonic()
        await asyncio.sleep(SETTLE_SECONDS)
        await self._expect_refusal("soak-rotated", old)
        await self._expect_success("soak-rotated", new)

    async def _rotate_with_overlap(self) -> None:
        old = self._scenario.keys["soak-graced"]
        began = time.monotonic()
        new = await self._issue_key("soak-graced", grace_seconds=_OVERLAP_SECONDS)
        issued = time.monotonic()
        await asyncio.sleep(SETTLE_SECONDS)
        self._scenario.keys["soak-graced"] = new
        await self._expect_success("soak-graced", new)
        if time.monotonic() < began + _OVERLAP_SECONDS - 1:
            await self._expect_success("soak-graced", old)
        await asyncio.sleep(issued + _OVERLAP_SECONDS + SETTLE_SECONDS - time.monotonic())
        await self._expect_refusal("soak-graced", old)

    async def _edit_prompt(self) -> None:
        scenario = self._scenario
        scenario.newest_version += 1
        sections = [{"key": "01-identity", "content": f"Version {scenario.newest_version}"}]
        await self._api("PATCH", "/instances/soak-prompt/prompts", {"sections": sections})
        await asyncio.sleep(SETTLE_SECONDS)
        scenario.oldest_version = scenario.newest_version

    async def _edit_instance(self) -> None:
        path = "/instances/soak-fast"
        before = await self._call("GET", path)
        check_json(before)
        etag = {"If-Match": before.headers["ETag"]}
        change = {"description": f"Edited at {self._scenario.outcomes.now():.1f}", "temperature": 0.5}
        edited = check_json(await self._call("PATCH", path, change, etag))["instance"]
        check({key: edited[key] for key in change}, change, "the edited instance")
        check((await self._call("PATCH", path, change, etag)).status, 412, "the status of an edit with an outdated tag")

    async def _create_and_delete(self) -> None:
        slug = "soak-guest"
        await self._call("DELETE", f"/instances/{slug}")  # if an earlier task failed before its end
        await self._create(slug)
        await asyncio.sleep(SETTLE_SECONDS)
        key = self._scenario.keys[slug]
        await self._expect_success(slug, key)
        await self._api("DELETE", f"/instances/{slug}")
        await asyncio.sleep(SETTLE_SECONDS)
        for _ in range(_CHECKS_PER_CHANGE):
            check_envelope(await self._chat(slug, key), 401, "Unknown model")

    async def _read(self) -> None:
        listed = (await self._api("GET", "/instances?search=soak-&limit=100"))["instances"]
        check({instance["slug"] for instance in listed} & {*MODELS}, {*MODELS}, "the instances")
        turns = (await self._api("GET", "/instances/soak-fast/turns?limit=10"))["turns"]
        check({turn["outcome"] for turn in turns}, {"finished"}, "the outcomes of turns")
        (entry, *_) = (await self._api("GET", "/audit?instance=soak-prompt&limit=1"))["entries"]
        check(entry["action"], "prompts.update", "the last action on soak-prompt")

    async def _renew_session(self) -> None:
        await self._api("POST", "/auth/logout")
        check_envelope(await self._call("GET", "/auth/me"), 401, "Invalid or expired session")
        await self._log_in()
        check((await self._api("GET", "/auth/me"))["user"]["email"], EMAIL, "the current user")

    async def _log_in(self) -> None:
        self._token = ""
        self._token = (await self._api("POST", "/auth/login", {"email": EMAIL, "password": self._harness.password}))[
            "token"
        ]

    async def _create(self, slug: str) -> None:
        body = {
            "slug": slug,
            "name": slug,
            "provider": "openai",
            "model": MODELS.get(slug, "fast"),
            "baseUrl": self._harness.upstream,
        }
        check_json(await self._call("POST", "/instances", body), 201)
        self._scenario.keys[slug] = await self._issue_key(slug)

    async def _issue_key(self, slug: str, *, grace_seconds: int = 0) -> str:
        reply = await self._call("POST", f"/instances/{slug}/keys?graceSeconds={grace_seconds}")
        key: str = check_json(reply, 201)["key"]
        return key

    async def _expect_success(self, slug: str, key: str) -> None:
        for _ in range(_CHECKS_PER_CHANGE):
            check_whole(await self._chat(slug, key), slug, TEXTS["fast"])

    async def _expect_refusal(self, slug: str, key: str) -> None:
        for _ in range(_CHECKS_PER_CHANGE):
            check_envelope(await self._chat(slug, key), 401, "Invalid API key")

    async def _chat(self, slug: str, key: str) -> Reply:
        body = {"model": slug, "messages": [{"role": "user", "content": "Hello!"}]}
        # Replaced keys count as failed credentials of their address: more than the limit if all came from one.
        headers = {"Authorization": f"Bearer {key}", **random_address(self._random)}
        return await self._send("POST", "/v1/chat/completions", body, headers)

    async def _api(self, method: str, path: str, body: Any = None) -> Any:
        """Returns the body of a successful response of the management API."""
        return check_json(await self._call(method, path, body), 200)

    async def _call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        session = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return await self._send(method, f"/api{path}", body, {**_ADDRESS, **session, **(headers or {})})

    async def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
        data = None
        if body is not None:
            data, headers = msgspec.json.encode(body), {**headers, "Content-Type": "application/json"}
        async with self._http.request(method, self._harness.url + path, data=data, headers=headers) as response:
            return Reply(response.status, response.headers, await response.read())
