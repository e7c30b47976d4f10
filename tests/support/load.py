"""Concurrent chat requests from chosen client addresses; the server must trust one proxy."""

import asyncio
import itertools
from collections import Counter

import httpx

from support.patience import PATIENCE
from support.process import Server

TRUST_ONE_PROXY = {"TRUST_PROXY": "1"}

_numbers = itertools.count(1)


def new_address() -> str:
    """Returns a client address that no request has used yet."""
    return f"10.{'.'.join(str(byte) for byte in next(_numbers).to_bytes(3, 'big'))}"


async def chat(client: httpx.AsyncClient, server: Server, *, address: str = "", key: str = "") -> httpx.Response:
    """Returns the response to one request, from a new client address unless one is given."""
    headers = {"X-Forwarded-For": address or new_address(), **({"Authorization": f"Bearer {key}"} if key else {})}
    body = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}
    return await client.post(f"{server.base_url}/chat/completions", json=body, headers=headers)


async def statuses_of_burst(*servers: Server, each: int, address: str = "") -> Counter[int]:
    """Returns the count of each status after a burst of requests from one client address.

    Args:
        *servers: The servers to call.
        each: The number of concurrent requests to each server.
        address: The client address; a new one by default.
    """
    address = address or new_address()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, timeout=PATIENCE) as client:
        calls = [chat(client, server, address=address) for _ in range(each) for server in servers]
        return Counter(response.status_code for response in await asyncio.gather(*calls))
