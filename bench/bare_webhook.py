"""The lower bound for webhooks: a bare ASGI application that verifies a signed POST and inserts one row.

DATABASE_URL=postgresql://... uvicorn bench.bare_webhook:app --port PORT
"""

import hmac
import os
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it ships none

SECRET = "bench-webhook-secret"  # noqa: S105 - of servers that exist only during a run
SIGNATURE = "x-signature"

_TABLE = "CREATE TABLE IF NOT EXISTS deliveries (id BIGSERIAL PRIMARY KEY, body TEXT NOT NULL)"
_INSERT = "INSERT INTO deliveries (body) VALUES ($1)"
_HEADER = SIGNATURE.encode()
_pool: asyncpg.Pool


def signature_of(body: bytes) -> str:
    """Returns the signature of a body."""
    return hmac.digest(SECRET.encode(), body, "sha256").hex()


async def app(scope: Any, receive: Any, send: Any) -> None:
    global _pool  # noqa: PLW0603 - one pool per process, created inside its loop
    if scope["type"] == "lifespan":
        await receive()
        _pool = await asyncpg.create_pool(os.environ["DATABASE_URL"])
        await _pool.execute(_TABLE)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await _pool.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status = 200 if scope["path"] == "/health" or await _store(scope, await _body(receive)) else 401
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body"})


async def _store(scope: Any, body: bytes) -> bool:
    """Stores a body with a valid signature, and returns whether it has one."""
    given = dict(scope["headers"]).get(_HEADER, b"").decode()
    if not hmac.compare_digest(given, signature_of(body)):
        return False
    await _pool.execute(_INSERT, body.decode())
    return True


async def _body(receive: Any) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
