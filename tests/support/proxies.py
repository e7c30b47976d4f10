"""nginx with the shipped configuration, in front of servers on this machine."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import launching
from support.process import environment, eventually

DEPLOY = Path(__file__).parent.parent.parent / "docs" / "deploy"
HOSTS = ("10.0.0.11:4000", "10.0.0.12:4000")
"""The addresses in the shipped configurations."""

_NGINX_MAIN = """\
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/polyant.conf;
}}
"""


def program(name: str) -> str:
    """Returns the path of an installed program.

    Raises:
        AssertionError: The program isn't installed.
    """
    found = find(name)
    assert found is not None, f"{name} is not installed"
    return found


def find(name: str) -> str | None:
    """Returns the path of a program, or None if it isn't installed."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def requires(name: str) -> pytest.MarkDecorator:
    """Returns a mark that skips tests without the program; in CI they run and fail."""
    return pytest.mark.skipif(find(name) is None and "CI" not in os.environ, reason=f"{name} is not installed")


def adapted(file: str, replacements: Mapping[str, str]) -> str:
    """Returns a shipped configuration with each text replaced.

    Args:
        file: Its name in docs/deploy.
        replacements: The new text for each text.

    Raises:
        AssertionError: A text doesn't occur, so the configuration and its test no longer fit together.
    """
    text = (DEPLOY / file).read_text()
    for old, new in replacements.items():
        assert old in text, f"{old!r} is missing in {file}"
        text = text.replace(old, new)
    return text


def free_ports(count: int) -> list[int]:
    """Returns ports that no process uses, for servers that must come back on the same port."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@contextmanager
def nginx_proxying(folder: Path, ports: Sequence[int]) -> Iterator[str]:
    """Yields the URL of an nginx in front of two local servers; only addresses and TLS differ from the shipped file.

    Args:
        folder: A new folder for its files.
        ports: The ports of the two servers.
    """
    folder.mkdir()
    (own,) = free_ports(1)
    replacements = {
        **{host: f"127.0.0.1:{port}" for host, port in zip(HOSTS, ports, strict=True)},
        "listen 443 ssl;": f"listen 127.0.0.1:{own};",
        "ssl_certificate ": "# ssl_certificate ",
        "ssl_certificate_key ": "# ssl_certificate_key ",
    }
    (folder / "polyant.conf").write_text(adapted("nginx.conf", replacements))
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + _NGINX_MAIN.format(folder=folder))
    command: list[str | Path] = [program("nginx"), "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"]
    log = folder / "output.log"
    with log.open("w") as output:
        process = launching.start(command, cwd=folder, env=environment(folder), stdout=output, stderr=output)
    try:
        eventually(lambda: process.poll() is not None or _listens(own), expected=True)
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{own}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
