"""polyant serve: creates missing data, checks it and runs the server."""

import argparse
import asyncio
import contextlib
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from polyant import logs
from polyant.cli.arguments import whole_number
from polyant.cli.banner import StartupInfo, banner, banner_fields
from polyant.cli.help import setting_rows
from polyant.cli.listening import is_loopback, listen, origin_of_listener
from polyant.domain.instances import InstanceQuery, InstanceStatus
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.home import initial_password_file_of
from polyant.prepare import DEMO_SLUG, prepare
from polyant.settings import LogFormat, Settings, Variable, read_settings, variables
from polyant.wiring import open_container

log = logging.getLogger("polyant")

_MAX_WORKERS = 1_000
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

_OPTIONS: Mapping[str, str] = {
    "--host": "API_HOST",
    "--port": "API_PORT",
    "--home": "POLYANT_HOME",
    "--database-url": "DATABASE_URL",
    "--rate-limit": "RATE_LIMIT",
    "--log-format": "LOG_FORMAT",
    "--role": "SERVE_ROLE",
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
    known = {variable.name: variable for variable in variables().values()}
    for option, name in _OPTIONS.items():
        row = rows[name]
        text = f"{name}: {row.description} [{row.allowed}; default: {row.default}]"
        parser.add_argument(option, dest=name, metavar="VALUE", type=_checked(known[name]), help=text)
    parser.add_argument(
        "--workers",
        type=whole_number(1, _MAX_WORKERS),
        default=1,
        metavar="N",
        help="number of worker processes [default: %(default)s]",
    )
    parser.set_defaults(run=_serve)


def _serve(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from polyant.cli.server import run_server  # noqa: PLC0415 - only this command needs uvicorn

    options = {name: value for name in _OPTIONS.values() if (value := getattr(args, name)) is not None}
    os.environ.update(options)  # workers read their settings there
    settings = _settings(environ, workers=args.workers)
    if settings.log_format is LogFormat.JSON:
        logs.capture_output()
    logs.configure(settings.log_format)
    with listen(settings) as listener:
        info = asyncio.run(_prepare(settings, environ, options, origin_of_listener(listener, settings.host)))
        _warn_about_missing_auth(listener, info)
        with _shared_metrics(settings, workers=args.workers):
            announce = partial(_announce, settings, info)
            return run_server(settings, listener, workers=args.workers, announce=announce)


def _checked(variable: Variable) -> Callable[[str], str]:
    """Returns a parser that passes valid values of a variable unchanged; an invalid one is a usage error."""

    def check(text: str) -> str:
        fault = variable.fault(text)
        if fault is not None:
            raise argparse.ArgumentTypeError(fault)
        return text

    return check


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


def _warn_about_missing_auth(listener: socket.socket, info: StartupInfo) -> None:
    if info.open_slugs and not is_loopback(listener):
        log.warning(
            "everyone who can reach %s can use %s without an API key; run `polyant keys issue SLUG` to turn auth on",
            listener.getsockname()[0],
            ", ".join(info.open_slugs),
        )


async def _prepare(
    settings: Settings, environ: Mapping[str, str], options: Mapping[str, str], origin: str
) -> StartupInfo:
    async with open_container(settings, environ, create=True) as container:
        await prepare(container, settings)
        active = (await (await container.get(InstanceRepo)).list(InstanceQuery(status=InstanceStatus.ACTIVE))).instances
    password_file = initial_password_file_of(settings).absolute()
    return StartupInfo(
        model=next((found for found in active if found.slug == DEMO_SLUG), next(iter(active), None)),
        open_slugs=tuple(found.slug for found in active if not found.auth_enabled),
        origin=origin,
        options=options,
        password_file=password_file if _is_visible(password_file) else None,
    )


def _is_visible(path: Path) -> bool:
    """Returns whether a path exists; False if it can't be accessed, because PostgreSQL needs no POLYANT_HOME."""
    try:
        return path.exists()
    except OSError:
        return False


def _announce(settings: Settings, info: StartupInfo) -> None:
    """Prints the startup message in the format of the log."""
    if settings.log_format is LogFormat.JSON:
        logs.write_json_message("ready", banner_fields(settings, info))
    else:
        print(banner(settings, info), flush=True)
