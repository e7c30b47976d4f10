"""Runs inside a client's process: reads calls from standard input and writes results, as JSON lines.

It uses only the standard library, because it runs in the client's own environment.
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
    """One call to make with the client."""

    base_url: str
    key: str
    model: str = "demo-bot"
    messages: list[dict[str, Any]] = field(default_factory=list)
    retries: int | None = None
    """The number of retries; None uses the client's default."""
    usage: bool = False
    stop_after: int | None = None
    """The number of deltas after which the client leaves a stream."""
    code: str = ""
    send: Callable[[dict[str, Any]], None]
    reported: int = 0

    @property
    def text(self) -> str:
        """The last message, for clients that don't accept a list."""
        content: str = self.messages[-1]["content"]
        return content

    @property
    def patience(self) -> dict[str, Any]:
        """The retry option of the official clients and of many that are built on them."""
        return {} if self.retries is None else {"max_retries": self.retries}

    @property
    def stream_options(self) -> dict[str, Any]:
        """The option that requests usage at the end of a stream."""
        return {"stream_options": {"include_usage": True}} if self.usage else {}

    def report(self, piece: str | None) -> bool:
        """Reports a delta as soon as the client delivers it; returns whether to leave the stream."""
        if piece:
            self.reported += 1
            self.send({"piece": piece})
        return self.reported == self.stop_after


def counts(usage: Any) -> list[int] | None:
    """Returns the tokens of a usage object in OpenAI's form."""
    return None if usage is None else [usage.prompt_tokens, usage.completion_tokens]


def message_in_body(error: Any) -> object:
    """Returns the server's message from an error of the official client or of a client that is built on it."""
    return error.response.json()["message"]


def drive(version: str, verbs: Mapping[str, Verb], *, message_of: Callable[[Any], object] | None = None) -> None:
    """Makes calls until standard input ends.

    Args:
        version: The version of the client.
        verbs: The supported calls, by name; each returns its result, or is a coroutine function.
        message_of: Reads the server's message from an error whose text doesn't contain it.
    """
    protocol = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # the output of clients must not mix with the protocol
    driver = _Driver(protocol, {"snippet": run_snippet, "collect": collect, **verbs}, message_of)
    asyncio.run(driver.run(version))


def run_snippet(call: Call) -> dict[str, str]:
    """Runs an example as printed and returns its output."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(call.code, {"__name__": "__main__"})  # noqa: S102 - the project's own example
    return {"text": printed.getvalue()}


def collect(_: Call) -> dict[str, int]:
    """Collects garbage, because some clients close a stream only then."""
    return {"collected": gc.collect()}


class _Driver:
    def __init__(self, protocol: TextIO, verbs: Mapping[str, Verb], message_of: Callable[[Any], object] | None) -> None:
        self._protocol = protocol
        self._verbs = verbs
        self._message_of = message_of

    async def run(self, version: str) -> None:
        self._send({"version": version, "verbs": list(self._verbs)})
        while line := await asyncio.to_thread(sys.stdin.readline):
            arguments = json.loads(line)
            verb = self._verbs[arguments.pop("verb")]
            try:
                self._send({"result": await self._run_verb(verb, Call(send=self._send, **arguments))})
            except Exception as error:  # noqa: BLE001 - the client's error is the result
                self._send({"error": self._describe(error)})

    async def _run_verb(self, verb: Verb, call: Call) -> Any:
        """Runs blocking verbs in a thread, so that the event loop keeps running as in an application."""
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

    def _send(self, line: dict[str, Any]) -> None:
        self._protocol.write(json.dumps(line) + "\n")
