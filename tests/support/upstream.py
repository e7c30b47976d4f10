"""The scripted upstream of the kit, and one that runs in a thread for servers in other processes.

With `with upstream_in_thread() as thread:`, `thread.run` runs the coroutines of `thread.upstream`.
`support.openai_replies` and `support.anthropic_replies` build replies in the providers' protocols.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from polyant.testing.upstream import (
    DROP,
    HANG_BEFORE_HEAD,
    Gate,
    Received,
    Reply,
    Responder,
    ScriptedUpstream,
    Then,
    json_reply,
)
from support.patience import PATIENCE

__all__ = [
    "DROP",
    "HANG_BEFORE_HEAD",
    "Gate",
    "Received",
    "Reply",
    "Responder",
    "ScriptedUpstream",
    "Then",
    "UpstreamThread",
    "json_reply",
    "upstream_in_thread",
]

T = TypeVar("T")


class UpstreamThread:
    """A scripted upstream with its own event loop."""

    def __init__(self, upstream: ScriptedUpstream, loop: asyncio.AbstractEventLoop) -> None:
        self.upstream = upstream
        self._loop = loop

    def run(self, coroutine: Coroutine[Any, Any, T], *, seconds: float = PATIENCE) -> T:
        """Returns the result of a coroutine that runs in the server's event loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(seconds)


@contextmanager
def upstream_in_thread() -> Iterator[UpstreamThread]:
    """Yields a scripted upstream that runs in a thread until the end of the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    upstream = ScriptedUpstream()
    handle = UpstreamThread(upstream, loop)
    try:
        handle.run(upstream.__aenter__())
        yield handle
        handle.run(upstream.__aexit__())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
