"""Drives a client from within: reads calls from standard input and writes what the client saw, as JSON lines.

It runs in the client's own environment, so it needs nothing but the standard library.
"""

import asyncio
import contextlib
import gc
import inspect
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

Verb = Callable[["Call"], Any]


@dataclass(kw_only=True)
class Call:
    """One thing to do with the client."""

    base_url: str
    key: str
    model: str = "demo-bot"
    messages: list[dict[str, Any]] = field(default_factory=list)
    retries: int | None = None
    """None leaves the client to its own habits."""
    usage: bool = False
    enough: int | None = None
    """How many pieces of a stream are heard before the client goes away."""
    code: str = ""
    tell: Callable[[dict[str, Any]], None]
    heard_so_far: int = 0

    @property
    def text(self) -> str:
        """The last message, for clients that take no list."""
        said: str = self.messages[-1]["content"]
        return said

    @property
    def patience(self) -> dict[str, Any]:
        """The option that official clients, and many built on them, have for it."""
        return {} if self.retries is None else {"max_retries": self.retries}

    @property
    def stream_options(self) -> dict[str, Any]:
        """The option that asks for usage at the end of a stream."""
        return {"stream_options": {"include_usage": True}} if self.usage else {}

    def heard(self, piece: str | None) -> bool:
        """Reports a piece as soon as the client gives it; returns whether that was enough."""
        if piece:
            self.heard_so_far += 1
            self.tell({"piece": piece})
        return self.heard_so_far == self.enough


def counts(usage: Any) -> list[int] | None:
    """Returns the tokens of a usage object in OpenAI's form."""
    return None if usage is None else [usage.prompt_tokens, usage.completion_tokens]


def drive(version: str, verbs: Mapping[str, Verb], *, message_of: Callable[[Any], object] | None = None) -> None:
    """Does what is asked until standard input ends.

    Args:
        version: The client's.
        verbs: What can be done with the client; each returns what it saw, or a coroutine that does.
        message_of: How a developer gets at the server's message where the error's text doesn't have it.
    """
    protocol = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what clients print themselves must not get between the lines
    driver = _Driver(protocol, {"snippet": run_snippet, "collect": collect, **verbs}, message_of)
    asyncio.run(driver.run(version))


def run_snippet(call: Call) -> dict[str, str]:
    """Runs an example as it is printed and returns what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(call.code, {"__name__": "__main__"})  # noqa: S102 - the project's own example
    return {"text": printed.getvalue()}


def collect(_: Call) -> dict[str, int]:
    """Does what Python does now and then by itself; some clients leave it to that to close a stream."""
    return {"collected": gc.collect()}


class _Driver:
    def __init__(self, protocol: TextIO, verbs: Mapping[str, Verb], message_of: Callable[[Any], object] | None) -> None:
        self._protocol = protocol
        self._verbs = verbs
        self._message_of = message_of

    async def run(self, version: str) -> None:
        self._tell({"version": version, "verbs": list(self._verbs)})
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            verb = self._verbs[asked.pop("verb")]
            try:
                self._tell({"result": await self._do(verb, Call(tell=self._tell, **asked))})
            except Exception as error:  # noqa: BLE001 - whatever the client raises is what is to be seen
                self._tell({"error": self._describe(error)})

    async def _do(self, verb: Verb, call: Call) -> Any:
        """Runs what blocks in a thread, so that the event loop lives on as it does in an application."""
        if inspect.iscoroutinefunction(verb):
            return await verb(call)
        return await asyncio.to_thread(verb, call)

    def _describe(self, error: Exception) -> dict[str, Any]:
        described = {
            "type": type(error).__name__,
            "text": str(error),
            "status": getattr(error, "status_code", None)
            or getattr(getattr(error, "response", None), "status_code", None),
            "detail": None,
        }
        if self._message_of is not None:
            with contextlib.suppress(Exception):
                described["detail"] = self._message_of(error)
        return described

    def _tell(self, line: dict[str, Any]) -> None:
        self._protocol.write(json.dumps(line) + "\n")
