"""The servers that clients call, and the provider behind them."""

import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from clients.scenarios import HEARTBEAT_SECONDS, SLOW_TOOL
from support.patience import seconds
from support.process import Server, run_polyant, serving
from support.upstream import Gate, Received, Reply, Responder, UpstreamThread, json_reply, upstream_in_thread

_MARK = re.compile(rb"\[\[([^\]]+)\]\]")
_SCRIPT = Path(__file__).with_name("script.json")
"""Lets the demonstration model respond with JSON, as an example requires."""
_SERVERS = {
    "main": {
        "SCRIPTED_TURNS": str(_SCRIPT),
        "HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
        "REPORT_USAGE": "true",
        "CORS_ORIGINS": "*",
    },
    "limited": {"RATE_LIMIT": "1/3600", "CORS_ORIGINS": "*"},
    "brief": {"RATE_LIMIT": "1/2"},
    "openai": {"ERROR_FORMAT": "openai", "CORS_ORIGINS": "*"},
    "doomed": {"SHUTDOWN_SECONDS": "0.2", "CORS_ORIGINS": "*"},
}
"""The default server, one whose limit is used up, one with a limit per two seconds, one with OpenAI's format of
errors, and one that is stopped last."""


def mark_of(name: str) -> str:
    """Returns the text in a message by which the provider recognises the call."""
    return f"[[{name}]]"


class Provider:
    """A provider that responds to each call as its scenario defines. The mark in the messages identifies the call."""

    def __init__(self, thread: UpstreamThread) -> None:
        self._thread = thread
        self._responders: dict[str, Responder] = {}
        self.requests: defaultdict[str, list[Received]] = defaultdict(list)
        thread.upstream.otherwise = self._respond

    @property
    def url(self) -> str:
        return self._thread.upstream.url

    def expect(self, name: str, responder: Responder) -> None:
        """Sets the responder for the call of that name."""
        self._responders[name] = responder

    def open(self, gate: Gate) -> None:
        """Opens a gate, so that its reply continues."""

        async def opening() -> None:
            gate.open()

        self._thread.run(opening())

    def is_closed(self, name: str) -> bool:
        """Returns whether the server closes the last request of a call within a second."""
        if not self.requests[name]:
            return False
        try:
            return self._thread.run(self.requests[name][-1].hung_up.wait(), seconds=seconds(1))
        except TimeoutError:
            return False

    def _respond(self, request: Received) -> Reply:
        if request.method == "GET":
            return SLOW_TOOL
        marks = _MARK.findall(request.body)
        if not marks:
            return json_reply({}, status=404)
        name = marks[-1].decode()
        self.requests[name].append(request)
        return self._responders[name](request)


class ClientHarness:
    """The servers and the provider that clients are tested with."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.provider = provider
        self.servers: dict[str, Server] = {}
        self.brief_lock = threading.Lock()
        self._folder = folder
        self.key = self._set_up()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Runs the servers, which share their data."""
        host = self.provider.url.removeprefix("http://")
        with ExitStack() as stack:
            for name, variables in _SERVERS.items():
                settings = {"RATE_LIMIT": "off", "HTTP_TOOL_HOSTS": host, **variables}
                self.servers[name] = stack.enter_context(serving(self._folder, **settings))
            self.call_once("limited")
            yield

    def call_once(self, server: str) -> int:
        """Makes one call, which uses up the limit, and returns its status."""
        body = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}
        return httpx.post(f"{self.servers[server].base_url}/chat/completions", json=body).status_code

    def rejected_calls(self, server: str) -> int:
        """Returns the number of calls that the server has rate-limited so far."""
        return self.servers[server].stderr.text.count("status=429")

    def _set_up(self) -> str:
        """Creates the instances and returns their API key."""
        relay = ("--provider", "openai", "--model", "tiny", "--base-url", f"{self.provider.url}/v1")
        self._run("migrate")
        self._run("instances", "create", "relay", *relay)
        self._run("instances", "create", "handy", *relay)
        self._run("instances", "update", "handy", "--tools", "http_request")
        self._run("instances", "create", "keyless", "--provider", "openai")
        return self._run("keys", "issue", "relay").strip()

    def _run(self, *arguments: str) -> str:
        done = run_polyant(self._folder, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def client_harness(folder: Path) -> Iterator[ClientHarness]:
    """Runs the provider and the servers, and yields them when they are ready."""
    with upstream_in_thread() as thread:
        harness = ClientHarness(folder, Provider(thread))
        with harness.open():
            yield harness
