"""The servers of a run, each started when it is first needed and stopped at the end."""

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from bench.databases import Databases, create_instance, postgres
from bench.installs import engine_at
from bench.jobs import Hold, Load
from bench.loader import Loader
from bench.processes import Process, free_port, python, running
from bench.scripts import KEY, upstream_model

ENGINE = "engine"
DEFAULT_INSTANCES = 10
"""The number of instances in a database, unless a case varies it."""
RELAY = python("-m", "uvicorn", "bench.bare_relay:app", "--port", "{port}", "--no-access-log")
_WEBHOOK = python("-m", "uvicorn", "bench.bare_webhook:app", "--port", "{port}", "--no-access-log")
_PLATFORM = python("-m", "uvicorn", "bench.stub_platform:app", "--port", "{port}", "--no-access-log")
_POLYANT = python("-m", "polyant")


class Target(msgspec.Struct, frozen=True):
    """A server to measure."""

    process: Process
    port: int
    key: str = ""
    """The API key that callers use."""
    has_instances: bool = False
    """Whether the server has instances; otherwise callers use the provider's model directly."""
    headers: dict[str, str] = {}
    """Additional headers of each request."""

    def load(self, slug: str = "plain", **options: Any) -> Load:
        """Returns a load of requests to one of the scripts' instances."""
        return Load(port=self.port, models=(self.model(slug),), key=self.key, headers=self.headers, **options)

    def hold(self, slug: str, streams: int, *, bytes_per_second: int = 0) -> Hold:
        """Returns the job of keeping streams of one of the scripts open."""
        key = self.key.replace("{model}", slug)
        return Hold(port=self.port, model=self.model(slug), key=key, streams=streams, bytes_per_second=bytes_per_second)

    def model(self, slug: str) -> str:
        """Returns the model name that selects one of the scripts on this server."""
        return slug if self.has_instances else upstream_model(slug)


class Harness:
    """The stub, the bare relay, the engines and the load generator."""

    def __init__(
        self, stack: ExitStack, folder: Path, *, rounds: int, seconds: float, long: bool, against: str | None = None
    ) -> None:
        self._against = against
        self.folder = folder
        self.rounds = rounds
        self.seconds = seconds
        self.long = long
        self._stack = stack
        self._started: dict[str, Target] = {}
        self._set_ups: dict[str, Target] = {}
        self._environ = {
            "ENCRYPTION_KEY": secrets.token_hex(32),
            "AUTH_SECRET": secrets.token_hex(32),
            "POLYANT_HOME": str(folder / "home"),
            "RATE_LIMIT": "1000000/60",
            "RATE_LIMITER": "memory",
            "TRUST_PROXY": "1",
            "MAX_CONCURRENT_TURNS": "5000",
            # Intentionally silent streams outlast a case.
            "IDLE_SECONDS": "3600",
            "TURN_SECONDS": "3600",
        }

    @cached_property
    def loader(self) -> Loader:
        """The load generator."""
        loader = Loader()
        self._stack.callback(loader.close)
        return loader

    @property
    def stub(self) -> Target:
        """The stub of a provider."""
        return self.start("stub", *python("-m", "bench.stub_upstream", "{port}"), ready="/stats")

    @property
    def relay(self) -> Target:
        """The bare relay, the lower bound to measure against."""
        return self.start("relay", *RELAY, ready="/health", environ={"STUB": self.url_of(self.stub)})

    @cached_property
    def databases(self) -> Databases:
        """The databases on PostgreSQL."""
        return Databases(self._stack.enter_context(postgres()), self.url_of(self.stub), self._environ)

    @cached_property
    def versions(self) -> dict[str, tuple[str, ...]]:
        """The command of each version of the engine: the working tree, and the commit to compare with."""
        if self._against is None:
            return {ENGINE: _POLYANT}
        commit, program = engine_at(self._against)
        return {ENGINE: _POLYANT, f"engine at {commit}": (str(program),)}

    def engine(
        self, name: str = ENGINE, *, instances: int = DEFAULT_INSTANCES, workers: int = 1, **environ: str
    ) -> Target:
        """Returns the engine of that name, as a user runs it; `environ` overrides settings, such as the limiter."""
        settings = {**self._environ, "DATABASE_URL": self.databases.with_instances(instances), **environ}
        started = self._serve(name, _POLYANT, settings, workers=workers)
        return msgspec.structs.replace(started, key=KEY, has_instances=True)

    def engine_with_conversations(self, chats: int, *, others: int = 0) -> Target:
        """Returns an engine with that many stored conversations, and with others that aren't called."""
        url = self.databases.with_conversations(chats, others=others)
        name = f"engine with {chats + others} conversations"
        started = self._serve(name, _POLYANT, {**self._environ, "DATABASE_URL": url})
        return msgspec.structs.replace(started, key=KEY, has_instances=True)

    def engine_with_webhook(self) -> Target:
        """Returns an engine with a connected channel, which receives events but doesn't answer them."""
        settings = {**self._environ, "DATABASE_URL": self.databases.with_webhook(), "SERVE_ROLE": "api"}
        return self._serve("engine with a webhook", _POLYANT, settings)

    def engines_with_channel(self, name: str, *roles: str) -> tuple[str, list[Target]]:
        """Returns the URL of a new database with a connected channel, and one engine of each role on it."""
        platform = self.start("platform", *_PLATFORM, ready="/")
        url = self.databases.with_channel(name)
        environ = {"DATABASE_URL": url, "TELEGRAM_API_URL": self.url_of(platform)}
        return url, [
            self._serve(f"{name}, {role}", _POLYANT, {**self._environ, **environ, "SERVE_ROLE": role}) for role in roles
        ]

    @property
    def bare_webhook(self) -> Target:
        """The bare application that stores what is posted, the lower bound for webhooks."""
        environ = {"DATABASE_URL": self.databases.empty("bare_webhook")}
        return self.start("bare webhook", *_WEBHOOK, ready="/health", environ=environ)

    def engines(self) -> dict[str, Target]:
        """Returns an engine of each version on PostgreSQL, all with the same set-up."""
        return {version: self._set_up(version, DATABASE_URL=self.databases.empty(version)) for version in self.versions}

    def embedded_engines(self) -> dict[str, Target]:
        """Returns an engine of each version as `polyant serve` runs it without database and limiter settings."""
        unset = {"DATABASE_URL": "", "RATE_LIMITER": ""}
        return {
            version: self._set_up(version, POLYANT_HOME=str(self.folder / f"home of {version}"), **unset)
            for version in self.versions
        }

    def _set_up(self, version: str, **environ: str) -> Target:
        """Returns an engine of that version with the instance `plain`, which that version's own commands created."""
        name = f"{version}, {environ}"
        if name not in self._set_ups:
            command, settings = self.versions[version], {**self._environ, **environ}
            key = create_instance(command, settings, "plain", f"{self.url_of(self.stub)}/v1")
            started = self._serve(f"{version} {len(self._set_ups)}", command, settings)
            self._set_ups[name] = msgspec.structs.replace(started, key=key, has_instances=True)
        return self._set_ups[name]

    def _serve(self, name: str, command: tuple[str, ...], settings: Mapping[str, str], *, workers: int = 1) -> Target:
        serve = (*command, "serve", "--port", "{port}", "--workers", str(workers))
        return self.start(name, *serve, ready="/health/ready", environ=settings)

    def start(
        self, name: str, *command: str, ready: str, environ: Mapping[str, str] | None = None, port: int = 0
    ) -> Target:
        """Returns the server of that name, and starts it if needed; `{port}` in its command becomes a free port."""
        if name not in self._started:
            port = port or free_port()
            process = self._stack.enter_context(
                running(
                    *(part.replace("{port}", str(port)) for part in command),
                    log=self.folder / f"{name}.log",
                    environ=environ,
                    ready=f"http://127.0.0.1:{port}{ready}",
                )
            )
            self._started[name] = Target(process, port)
        return self._started[name]

    @staticmethod
    def url_of(target: Target) -> str:
        """Returns the URL of a server."""
        return f"http://127.0.0.1:{target.port}"
