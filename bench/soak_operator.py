"""The operator of the soak: makes the instances, then changes things over the management API while callers call."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec

from bench.soak_checks import Reply, check, check_envelope, check_json, check_whole
from bench.soak_scene import MODELS, SETTLE_SECONDS, Scene
from bench.soak_upstream import TEXTS
from bench.soak_world import EMAIL, World

_PAUSE_SECONDS = 2.0
_GRACE_SECONDS = 4
_ASKED_OFTEN_ENOUGH = 6  # on connections of their own, so that both workers are asked


class Operator:
    """Does one thing after the other, and checks what comes of it."""

    def __init__(self, http: aiohttp.ClientSession, world: World, scene: Scene) -> None:
        """Takes a session that makes a connection for each request."""
        self._http = http
        self._world = world
        self._scene = scene
        self._token = ""

    async def set_up(self) -> None:
        """Makes the instances and their keys."""
        await self._log_in()
        for slug in MODELS:
            await self._create(slug)
        await self._api("PATCH", "/instances/soak-tools/tools", {"enabled": ["calculate"]})
        await self._edit_prompt()
        await asyncio.sleep(SETTLE_SECONDS)

    async def work(self) -> None:
        """Changes things, for ever."""
        chores: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
            ("operator changes a key at once", self._rotate),
            ("operator edits a prompt", self._edit_prompt),
            ("operator edits an instance", self._edit_instance),
            ("operator changes a key with grace", self._rotate_with_grace),
            ("operator makes and deletes an instance", self._come_and_go),
            ("operator reads", self._read),
            ("operator logs out and in", self._renew_session),
        )
        while True:
            for name, chore in chores:
                async with self._scene.writing:
                    with self._scene.book.entry(name):
                        await chore()
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _rotate(self) -> None:
        old = self._scene.keys["soak-rotated"]
        self._scene.rotated_at = math.inf
        new = await self._issue_key("soak-rotated")
        self._scene.keys["soak-rotated"], self._scene.rotated_at = new, time.monotonic()
        await asyncio.sleep(SETTLE_SECONDS)
        await self._expect_refusal("soak-rotated", old)
        await self._expect_answer("soak-rotated", new)

    async def _rotate_with_grace(self) -> None:
        old = self._scene.keys["soak-graced"]
        began = time.monotonic()
        new = await self._issue_key("soak-graced", grace_seconds=_GRACE_SECONDS)
        issued = time.monotonic()
        await asyncio.sleep(SETTLE_SECONDS)
        self._scene.keys["soak-graced"] = new
        await self._expect_answer("soak-graced", new)
        if time.monotonic() < began + _GRACE_SECONDS - 1:
            await self._expect_answer("soak-graced", old)
        await asyncio.sleep(issued + _GRACE_SECONDS + SETTLE_SECONDS - time.monotonic())
        await self._expect_refusal("soak-graced", old)

    async def _edit_prompt(self) -> None:
        scene = self._scene
        scene.newest_version += 1
        sections = [{"key": "01-identity", "content": f"Version {scene.newest_version}"}]
        await self._api("PATCH", "/instances/soak-prompt/prompts", {"sections": sections})
        await asyncio.sleep(SETTLE_SECONDS)
        scene.oldest_version = scene.newest_version

    async def _edit_instance(self) -> None:
        path = "/instances/soak-fast"
        before = await self._ask("GET", path)
        check_json(before)
        etag = {"If-Match": before.headers["ETag"]}
        change = {"description": f"Edited at {self._scene.book.now():.1f}", "temperature": 0.5}
        edited = check_json(await self._ask("PATCH", path, change, etag))["instance"]
        check({key: edited[key] for key in change}, change, "the edited instance")
        check((await self._ask("PATCH", path, change, etag)).status, 412, "the status of an edit of what was changed")

    async def _come_and_go(self) -> None:
        slug = "soak-guest"
        await self._create(slug)
        await asyncio.sleep(SETTLE_SECONDS)
        key = self._scene.keys[slug]
        await self._expect_answer(slug, key)
        await self._api("DELETE", f"/instances/{slug}")
        await asyncio.sleep(SETTLE_SECONDS)
        for _ in range(_ASKED_OFTEN_ENOUGH):
            check_envelope(await self._chat(slug, key), 401, "Unknown model")

    async def _read(self) -> None:
        check((await self._api("GET", "/instances?search=soak-"))["total"], len(MODELS), "the number of instances")
        turns = (await self._api("GET", "/instances/soak-fast/turns?limit=10"))["turns"]
        check({turn["outcome"] for turn in turns}, {"finished"}, "the outcomes of turns")
        (entry, *_) = (await self._api("GET", "/audit?instance=soak-prompt&limit=1"))["entries"]
        check(entry["action"], "prompts.update", "the last action on soak-prompt")

    async def _renew_session(self) -> None:
        await self._api("POST", "/auth/logout")
        check_envelope(await self._ask("GET", "/auth/me"), 401, "Invalid or expired session")
        await self._log_in()
        check((await self._api("GET", "/auth/me"))["user"]["email"], EMAIL, "who is logged in")

    async def _log_in(self) -> None:
        self._token = ""
        self._token = (await self._api("POST", "/auth/login", {"email": EMAIL, "password": self._world.password}))[
            "token"
        ]

    async def _create(self, slug: str) -> None:
        body = {
            "slug": slug,
            "name": slug,
            "provider": "openai",
            "model": MODELS.get(slug, "fast"),
            "baseUrl": self._world.upstream,
        }
        check_json(await self._ask("POST", "/instances", body), 201)
        self._scene.keys[slug] = await self._issue_key(slug)

    async def _issue_key(self, slug: str, *, grace_seconds: int = 0) -> str:
        reply = await self._ask("POST", f"/instances/{slug}/keys?graceSeconds={grace_seconds}")
        key: str = check_json(reply, 201)["key"]
        return key

    async def _expect_answer(self, slug: str, key: str) -> None:
        for _ in range(_ASKED_OFTEN_ENOUGH):
            check_whole(await self._chat(slug, key), slug, TEXTS["fast"])

    async def _expect_refusal(self, slug: str, key: str) -> None:
        for _ in range(_ASKED_OFTEN_ENOUGH):
            check_envelope(await self._chat(slug, key), 401, "Invalid API key")

    async def _chat(self, slug: str, key: str) -> Reply:
        body = {"model": slug, "messages": [{"role": "user", "content": "Hello!"}]}
        return await self._send("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {key}"})

    async def _api(self, method: str, path: str, body: Any = None) -> Any:
        """Returns what the management API answers, which has to be a success."""
        return check_json(await self._ask(method, path, body), 200)

    async def _ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        session = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return await self._send(method, f"/api{path}", body, {**session, **(headers or {})})

    async def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
        data = None
        if body is not None:
            data, headers = msgspec.json.encode(body), {**headers, "Content-Type": "application/json"}
        async with self._http.request(method, self._world.url + path, data=data, headers=headers) as response:
            return Reply(response.status, response.headers, await response.read())
