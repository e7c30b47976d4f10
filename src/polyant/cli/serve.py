"""polyant serve: creates missing data, checks it and runs the server."""

import argparse
import asyncio
import contextlib
import logging
import math
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from polyant import logs
from polyant.cli.banner import StartupInfo, banner, is_loopback
from polyant.cli.help import setting_rows
from polyant.domain.instances import InstanceQuery, InstanceStatus
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.home import initial_password_file_of
from polyant.prepare import DEMO_SLUG, prepare
from polyant.settings import Settings, SettingsError, read_settings
from polyant.wiring import open_container

log = logging.getLogger("polyant")

_BACKLOG = 2_048
_SECONDS_TO_CLOSE = 5
"""The time to close connections after the last turn has ended, in seconds."""

_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

_OPTIONS: Mapping[str, str] = {
    "--host": "API_HOST",
    "--port": "API_PORT",
    "--home": "POLYANT_HOME",
    "--database-url": "DATABASE_URL",
    "--rate-limit": "RATE_LIMIT",
    "--log-format": "LOG_FORMAT",
}
"""The environment variable that each option sets."""


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "serve",
        help="create missing data, keys and the first instance, then serve",
        description="Create missing data, keys and the first instance, then serve.",
        epilog="Each option overrides the environment variable in its description; `polyant --help` lists them all. "
        "Pass a DATABASE_URL that contains a password in the environment: other users can read the command line.",
    )
    rows = {row.name: row for row in setting_rows()}
    for option, variable in _OPTIONS.items():
        row = rows[variable]
        text = f"{variable}: {row.description} [{row.allowed}; default: {row.default}]"
        parser.add_argument(option, dest=variable, metavar="VALUE", help=text)
    parser.add_argument(
        "--workers",
        type=_worker_count,
        default=1,
        metavar="N",
        help="number of worker processes [default: %(default)s]",
    )
    parser.set_defaults(run=_serve)


def _serve(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    options = {name: value for name in _OPTIONS.values() if (value := getattr(args, name)) is not None}
    os.environ.update(options)  # workers read their settings there
    settings = _settings(environ, workers=args.workers)
    logs.configure(settings.log_format)
    with _listen(settings) as listener:
        info = asyncio.run(_prepare(settings, environ, options, port=int(listener.getsockname()[1])))
        _warn_about_missing_auth(settings, info)
        with _shared_metrics(settings, workers=args.workers):
            return _run(settings, listener, workers=args.workers, message=banner(settings, info))


def _worker_count(text: str) -> int:
    """Returns the number of workers; argparse reports a ValueError as a usage error."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return count


def _settings(environ: Mapping[str, str], *, workers: int) -> Settings:
    settings = read_settings(environ)
    if workers > 1 or settings.uses_postgresql or environ.get("RATE_LIMITER", "").strip():
        return settings
    # A single worker on an embedded database shares its limits with no other process.
    os.environ["RATE_LIMITER"] = "memory"
    return msgspec.structs.replace(settings, rate_limiter="memory")


@contextlib.contextmanager
def _shared_metrics(settings: Settings, *, workers: int) -> Iterator[None]:
    """While open, workers share a metrics folder, so that each of them reports the metrics of all."""
    if settings.metrics_token is None or workers == 1 or _METRICS_FOLDER in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="polyant-metrics-") as folder:
        os.environ[_METRICS_FOLDER] = folder
        yield


def _warn_about_missing_auth(settings: Settings, info: StartupInfo) -> None:
    if info.open_slugs and not is_loopback(settings.host):
        log.warning(
            "everyone who can reach %s can use %s without an API key; run `polyant keys issue SLUG` to turn auth on",
            settings.host,
            ", ".join(info.open_slugs),
        )


def _listen(settings: Settings) -> socket.socket:
    """Returns a listening socket; opened first, so that a start on a port in use changes no data."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)  # bind alone would let a second server start at the same time
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the host name is invalid"
        raise SettingsError(
            f"Can't listen on {settings.host}:{settings.port}: {reason}. "
            "Stop the process that uses it, or set another --port (API_PORT) or --host (API_HOST)"
        ) from None
    listener.set_inheritable(True)
    return listener


async def _prepare(
    settings: Settings, environ: Mapping[str, str], options: Mapping[str, str], *, port: int
) -> StartupInfo:
    async with open_container(settings, environ, create=True) as container:
        await prepare(container, settings)
        active = (await (await container.get(InstanceRepo)).list(InstanceQuery(status=InstanceStatus.ACTIVE))).instances
    password_file = initial_password_file_of(settings).absolute()
    return StartupInfo(
        model=next((found for found in active if found.slug == DEMO_SLUG), next(iter(active), None)),
        open_slugs=tuple(found.slug for found in active if not found.auth_enabled),
        port=port,
        options=options,
        password_file=password_file if password_file.exists() else None,
    )


def _run(settings: Settings, listener: socket.socket, *, workers: int, message: str) -> int:
    """Serves until a signal stops the server, and returns the exit code."""
    import uvicorn  # noqa: PLC0415 - only this command needs it
    from uvicorn.config import STARTUP_FAILURE  # noqa: PLC0415 - the same

    from polyant.cli.server import AnnouncingServer, DrainingSupervisor  # noqa: PLC0415 - the same

    config = uvicorn.Config(
        "polyant.bootstrap:create_app",
        factory=True,
        http="polyant.http.protocol:HttpProtocol",
        workers=workers,
        backlog=_BACKLOG,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=math.ceil(settings.shutdown_seconds) + _SECONDS_TO_CLOSE,
    )
    try:
        if workers == 1:
            AnnouncingServer(config, message=message).run(sockets=[listener])
        else:
            supervisor = DrainingSupervisor(config, [listener], message=message)
            supervisor.run()
            if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
                return STARTUP_FAILURE
    except KeyboardInterrupt:
        pass  # stopped by Ctrl-C
    return 0
