"""A real PgBouncer in front of the tests' PostgreSQL."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from support import launching
from support.patience import PATIENCE
from support.process import eventually

_CONFIGURATION = """
[databases]
* = host={host} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {pool_mode}
default_pool_size = {pool_size}
logfile =
pidfile =
{more}
"""
_PREPARED_STATEMENTS_SINCE = (1, 21)


def supports_prepared_statements() -> bool:
    """Returns whether the installed PgBouncer can keep prepared statements in transaction mode."""
    return _version() >= _PREPARED_STATEMENTS_SINCE


@contextmanager
def running_pgbouncer(url: str, *, pool_mode: str, pool_size: int = 20, prepared_statements: int = 0) -> Iterator[str]:
    """Yields the URL of a database through PgBouncer; skips the test if it isn't installed, except in CI.

    Args:
        url: The URL of the database, with the folder of its socket.
        pool_mode: `session`, `transaction` or `statement`.
        pool_size: The number of connections to the server.
        prepared_statements: How many prepared statements PgBouncer keeps for each connection.
    """
    _require()
    parts = urlsplit(url)
    port = _free_port()
    more = f"max_prepared_statements = {prepared_statements}" if supports_prepared_statements() else ""
    host = Path(parse_qs(parts.query)["host"][0])
    if os.geteuid() == 0:  # PgBouncer refuses to run as root
        more += f"\nuser = {host.owner()}"
    with launching.temporary_folder("polyant-pgbouncer-") as folder:
        folder.chmod(0o755)
        file = folder / "pgbouncer.ini"
        file.write_text(
            _CONFIGURATION.format(host=host, port=port, pool_mode=pool_mode, pool_size=pool_size, more=more)
        )
        with (folder / "log").open("w") as log:
            process = launching.start(
                ["pgbouncer", "-q", file], cwd=folder, env={"PATH": os.environ["PATH"]}, stdout=log, stderr=log
            )
        try:
            eventually(lambda: process.poll() is None and _listens(port), expected=True)
            yield f"postgresql://postgres@127.0.0.1:{port}{parts.path}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def _require() -> None:
    if shutil.which("pgbouncer") is None:
        reason = "PgBouncer isn't installed"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)


def _version() -> tuple[int, ...]:
    _require()
    output = subprocess.run(["pgbouncer", "--version"], check=True, capture_output=True, text=True).stdout
    return tuple(int(part) for part in output.split()[1].split(".")[:2])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True
