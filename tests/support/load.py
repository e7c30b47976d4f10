"""Chat requests, many at once, from addresses of the test's choice; the server has to believe one proxy."""

import asyncio
import itertools
from collections import Counter

import httpx

from support.patience import PATIENCE
from support.process import Server

BELIEVING = {"TRUST_PROXY": "1"}

_numbers = itertools.count(1)


def new_address() -> str:
    """Returns an address that nobody has called from."""
    return f"10.{'.'.join(str(byte) for byte in next(_numbers).to_bytes(3, 'big'))}"


async def chat(client: httpx.AsyncClient, server: Server, *, address: str = "", key: str = "") -> httpx.Response:
    """Returns the answer to one request; without an address from one that nobody has called from."""
    headers = {"X-Forwarded-For": address or new_address(), **({"Authorization": f"Bearer {key}"} if key else {})}
    body = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}
    return await client.post(f"{server.base_url}/chat/completions", json=body, headers=headers)


async def statuses_of_burst(*servers: Server, each: int, address: str = "") -> Counter[int]:
    """Returns how often each status came back when that many requests at once go to each server, from one address."""
    address = address or new_address()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, timeout=PATIENCE) as client:
        calls = [chat(client, server, address=address) for _ in range(each) for server in servers]
        return Counter(answer.status_code for answer in await asyncio.gather(*calls))
