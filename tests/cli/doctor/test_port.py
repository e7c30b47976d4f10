"""The check of the configured address."""

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from support.commands import Polyant
from support.doctor import Doctor
from support.process import Server


@pytest.fixture(params=["silent", "other"])
def used_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of another program: one that closes each connection, or a web server."""
    if request.param == "other":
        with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield server.server_port
            server.shutdown()
            thread.join()
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.usefixtures("home")
def test_port_of_another_program_is_a_fault(findings: Doctor, used_port: int) -> None:
    [(state, about, message)] = findings(API_PORT=str(used_port))
    assert (state, about) == ("fault", "port")
    assert f"another program listens on 127.0.0.1 port {used_port}" in message
    assert f"ss -ltnp 'sport = :{used_port}'" in message


def test_port_of_a_running_server_is_fine(polyant: Polyant, server: Server) -> None:
    port = server.url.rpartition(":")[2]
    assert f"port: a server of Polyant is running on 127.0.0.1 port {port}\n" in polyant("doctor", API_PORT=port).stdout


@pytest.mark.usefixtures("home")
def test_address_of_another_machine_is_a_fault(findings: Doctor) -> None:
    [(state, about, message)] = findings(API_HOST="192.0.2.1")
    assert (state, about) == ("fault", "port")
    assert message.startswith("Can't listen on 192.0.2.1:0: Cannot assign requested address. Set --host (API_HOST)")
