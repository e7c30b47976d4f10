"""How the callers of the soak send requests, and what they do with answers from while the database was away."""

import random
import time
from contextlib import AbstractAsyncContextManager

import aiohttp
import msgspec

from bench.soak_checks import Reply, check, check_envelope
from bench.soak_scene import Scene

_ADDRESSES = 1_000


class DatabaseAwayError(Exception):
    """The answer is the 503 that is right while the database is away."""


class Client:
    """Sends requests from many addresses, with the keys of the scene."""

    def __init__(self, http: aiohttp.ClientSession, url: str, scene: Scene) -> None:
        self._http = http
        self._url = url
        self._scene = scene
        self._random = random.Random(7)  # noqa: S311 - chooses who asks, guards nothing

    async def chat(self, slug: str, *, stream: bool = False, key: str = "", body: bytes = b"") -> Reply:
        """Returns the whole answer to a chat request; `key` and `body` stand in for the right ones.

        Raises:
            DatabaseAwayError: The database was away.
        """
        began = time.monotonic()
        async with self.post(slug, stream=stream, key=key, body=body) as response:
            return self._met(await _read(response), began)

    async def get(self, path: str, *, key: str = "") -> Reply:
        """Returns the answer to a GET; raises as `chat` does."""
        began = time.monotonic()
        async with self._http.get(self._url + path, headers=_authorization(key)) as response:
            return self._met(await _read(response), began)

    def post(
        self, slug: str, *, stream: bool, key: str = "", body: bytes = b""
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Opens a chat request whose answer is not read yet."""
        said = {"model": slug, "stream": stream, "messages": [{"role": "user", "content": "Hello!"}]}
        number = self._random.randrange(_ADDRESSES)
        headers = {
            "Content-Type": "application/json",
            "X-Forwarded-For": f"10.0.{number // 256}.{number % 256}",
            **_authorization(key or self._scene.keys[slug]),
        }
        data = body or msgspec.json.encode(said)
        return self._http.post(f"{self._url}/v1/chat/completions", data=data, headers=headers)

    async def expect_head(self, response: aiohttp.ClientResponse, began: float) -> None:
        """Returns if the answer is a success; reads no more of it then."""
        if response.status != 200:
            check(self._met(await _read(response), began).status, 200, "the status")

    def _met(self, reply: Reply, began: float) -> Reply:
        """Returns the answer.

        Raises:
            DatabaseAwayError: It says that the database is away, which it was.
        """
        if reply.status == 503 and self._scene.outage.may_have_met(began):
            check_envelope(reply, 503, "The database is unavailable")
            raise DatabaseAwayError
        return reply


async def _read(response: aiohttp.ClientResponse) -> Reply:
    return Reply(response.status, response.headers, await response.read())


def _authorization(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
