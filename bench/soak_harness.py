"""The processes of the soak: the provider, and the engine as a user runs it."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.processes import Process, free_port, python, running

EMAIL = "operator@example.com"
TASKS = "/tasks-of-this-worker"
"""The path where a worker of the soak reports its number of tasks."""

_HTTP = ("--http", "polyant.http.protocol:HttpProtocol")
REQUEST_SECONDS = 20
STALL_SECONDS = 30
_WORKERS = 2
_RATE_LIMIT = "100000/60"  # never reached, but every request is counted


class SoakHarness(NamedTuple):
    """The running processes, and their addresses and credentials."""

    engine: Process
    port: int
    upstream_port: int
    password: str
    metrics_token: str
    log: Path

    @property
    def url(self) -> str:
        """The URL of the engine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def upstream(self) -> str:
        """The base URL of the provider."""
        return f"http://127.0.0.1:{self.upstream_port}/v1"


@contextlib.contextmanager
def soak_harness(database_url: str, folder: Path) -> Iterator[SoakHarness]:
    """Runs the provider and the engine, and writes the engine's log to a file."""
    port, upstream_port = free_port(), free_port()
    password, metrics_token = secrets.token_urlsafe(), secrets.token_urlsafe()
    metrics, log = folder / "metrics", folder / "engine.log"
    metrics.mkdir()
    environ = {
        "DATABASE_URL": database_url,
        "ENCRYPTION_KEY": secrets.token_hex(32),
        "AUTH_SECRET": secrets.token_hex(32),
        "INITIAL_ADMIN_EMAIL": EMAIL,
        "INITIAL_ADMIN_PASSWORD": password,
        "POLYANT_HOME": str(folder / "home"),
        "RATE_LIMIT": _RATE_LIMIT,
        "TRUST_PROXY": "1",
        "LOG_FORMAT": "json",
        "METRICS_TOKEN": metrics_token,
        "REQUEST_SECONDS": str(REQUEST_SECONDS),
        "STALL_SECONDS": str(STALL_SECONDS),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }
    provider = python("-m", "bench.soak_upstream", str(upstream_port))
    engine = python("-m", "uvicorn", "--factory", "bench.soak_app:create_app", *_HTTP, "--port", str(port))
    flags = ("--workers", str(_WORKERS), "--no-access-log", "--no-proxy-headers", "--log-level", "warning")
    ready = f"http://127.0.0.1:{port}/health/ready"
    with (
        running(*provider, log=folder / "upstream.log", ready=f"http://127.0.0.1:{upstream_port}"),
        running(*engine, *flags, log=log, environ=environ, ready=ready) as process,
    ):
        yield SoakHarness(process, port, upstream_port, password, metrics_token, log)
