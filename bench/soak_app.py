"""The engine's application, with a route that counts the event loop's tasks, which can't be observed from outside.

uvicorn --factory bench.soak_app:create_app
"""

import asyncio
import os
from typing import Any

import msgspec
from litestar.types import ASGIApp, Receive, Send

from bench.soak_harness import TASKS
from polyant import bootstrap


def create_app() -> ASGIApp:
    """Returns the application that the environment describes, with one additional route."""
    engine = bootstrap.create_app()

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == TASKS:
            await _send_task_count(send)
        else:
            await engine(scope, receive, send)

    app.connection_limits = engine.connection_limits  # type: ignore[attr-defined]  # the server's protocol reads it
    return app


async def _send_task_count(send: Send) -> None:
    body = msgspec.json.encode({"pid": os.getpid(), "tasks": len(asyncio.all_tasks())})
    # Without keep-alive, the next request may reach another worker.
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
