"""The HTTP client of the soak's callers, which accepts 503 while the database is down."""

import random
import time
from contextlib import AbstractAsyncContextManager

import aiohttp
import msgspec

from bench.soak_checks import Reply, check, check_envelope
from bench.soak_scenario import Scenario

_ADDRESSES = 1_000


def random_address(source: random.Random) -> dict[str, str]:
    """Returns the header of a random one of 1,000 client addresses, so that none reaches a limit for one address."""
    number = source.randrange(_ADDRESSES)
    return {"X-Forwarded-For": f"10.0.{number // 256}.{number % 256}"}


class DatabaseDownError(Exception):
    """The response is the 503 that is expected while the database is down."""


class Client:
    """Sends requests from many addresses, with the scenario's keys."""

    def __init__(self, http: aiohttp.ClientSession, url: str, scenario: Scenario) -> None:
        self._http = http
        self._url = url
        self._scenario = scenario
        self._random = random.Random(7)  # noqa: S311 - not used for security

    async def chat(self, slug: str, *, stream: bool = False, key: str = "", body: bytes = b"") -> Reply:
        """Returns the whole response to a chat request; `key` and `body` replace the default ones.

        Raises:
            DatabaseDownError: The database was down.
        """
        began = time.monotonic()
        async with self.post(slug, stream=stream, key=key, body=body) as response:
            return self._checked(await _read(response), began)

    async def get(self, path: str, *, key: str = "") -> Reply:
        """Returns the response to a GET request; raises the same errors as `chat`."""
        began = time.monotonic()
        headers = {**random_address(self._random), **_authorization(key)}
        async with self._http.get(self._url + path, headers=headers) as response:
            return self._checked(await _read(response), began)

    def post(
        self, slug: str, *, stream: bool, key: str = "", body: bytes = b""
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Opens a chat request without reading its response."""
        payload = {"model": slug, "stream": stream, "messages": [{"role": "user", "content": "Hello!"}]}
        headers = {
            "Content-Type": "application/json",
            **random_address(self._random),
            **_authorization(key or self._scenario.keys[slug]),
        }
        data = body or msgspec.json.encode(payload)
        return self._http.post(f"{self._url}/v1/chat/completions", data=data, headers=headers)

    async def expect_head(self, response: aiohttp.ClientResponse, began: float) -> None:
        """Checks that the response is successful, without reading its body."""
        if response.status != 200:
            check(self._checked(await _read(response), began).status, 200, "the status")

    def _checked(self, reply: Reply, began: float) -> Reply:
        """Returns the response.

        Raises:
            DatabaseDownError: The response reports that the database is down, which it was.
        """
        if reply.status == 503 and self._scenario.outage.may_have_affected(began):
            check_envelope(reply, 503, "The database is unavailable")
            raise DatabaseDownError
        return reply


async def _read(response: aiohttp.ClientResponse) -> Reply:
    return Reply(response.status, response.headers, await response.read())


def _authorization(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
