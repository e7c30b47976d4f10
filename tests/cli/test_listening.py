"""Listening sockets, and the addresses at which clients reach them."""

import errno
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from polyant.cli.listening import ListenError, bind, is_loopback, listen, origin_of_listener
from polyant.settings import Settings


class BoundSocket(socket.socket):
    """A socket that claims to be bound to an address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def getsockname(self) -> tuple[str, int]:
        return self._address, 4000


def names(monkeypatch: pytest.MonkeyPatch, **addresses: Sequence[str]) -> None:
    """Makes host names resolve to these addresses only."""

    def resolve(name: str, *_: object, **__: object) -> list[Any]:
        key = name.replace(".", "_")
        if key not in addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(None, None, None, "", (address, 0)) for address in addresses[key]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.parametrize(
    "address, host, origin",
    [
        ("127.0.0.1", "127.0.0.1", "http://localhost:4000"),
        ("127.0.0.1", "localhost", "http://localhost:4000"),
        ("127.0.0.2", "127.0.0.2", "http://127.0.0.2:4000"),
        ("127.0.1.1", "thishost", "http://127.0.1.1:4000"),
        ("::1", "::1", "http://[::1]:4000"),
        ("0.0.0.0", "0.0.0.0", "http://localhost:4000"),
        ("::", "::", "http://[::1]:4000"),
        ("192.0.2.7", "192.0.2.7", "http://192.0.2.7:4000"),
        ("192.0.2.7", "chat.example", "http://chat.example:4000"),
        ("192.0.2.8", "chat.example", "http://192.0.2.8:4000"),
        ("fd00::7", "fd00::7", "http://[fd00::7]:4000"),
        ("fe80::7%eth0", "fe80::7%eth0", "http://[fe80::7%25eth0]:4000"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "http://localhost:4000"),
    ],
)
def test_origin_is_reachable(monkeypatch: pytest.MonkeyPatch, address: str, host: str, origin: str) -> None:
    names(monkeypatch, localhost=["127.0.0.1"], thishost=["127.0.1.1"], chat_example=["192.0.2.7"])
    with BoundSocket(address) as bound:
        assert origin_of_listener(bound, host) == origin


@pytest.mark.parametrize("address, origin", [("127.0.0.1", "http://127.0.0.1:4000"), ("::", "http://localhost:4000")])
def test_localhost_is_shown_only_if_it_resolves_to_the_address(
    monkeypatch: pytest.MonkeyPatch, address: str, origin: str
) -> None:
    names(monkeypatch, localhost=["::1"])
    with BoundSocket(address) as bound:
        assert origin_of_listener(bound, address) == origin


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "0.0.0.0", "localhost", "::1", "::"])
def test_client_reaches_the_origin(host: str) -> None:
    try:
        listener = listen(Settings(host=host, port=0))
    except ListenError as error:
        if error.number in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT} and ":" in host:
            pytest.skip("this machine has no IPv6")
        raise
    with listener:
        origin = origin_of_listener(listener, host)
        parts = urlsplit(origin)
        with socket.create_connection((parts.hostname, parts.port)) as client:
            accepted, _ = listener.accept()
            accepted.close()
            assert client.getpeername()[1] == listener.getsockname()[1]


@pytest.mark.parametrize(
    "host, expected",
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
    ],
)
def test_loopback_addresses_are_recognised(host: str, *, expected: bool) -> None:
    with BoundSocket(host) as bound:
        assert is_loopback(bound) is expected


@pytest.mark.parametrize(
    "host, problem, fix",
    [
        ("192.0.2.1", "Can't listen on 192.0.2.1:0: Cannot assign requested address", "an address of this machine"),
        ("x" * 64, "the host name is invalid", "a name that resolves"),
        ("no.such.host.invalid", "Can't listen on no.such.host.invalid:0", "a name that resolves"),
        ("2001:db8::1", "Can't listen on [2001:db8::1]:0", "(API_HOST)"),
    ],
)
def test_unusable_address_has_a_fix(host: str, problem: str, fix: str) -> None:
    with pytest.raises(ListenError) as caught:
        bind(Settings(host=host, port=0))
    assert problem in str(caught.value)
    assert fix in caught.value.fix


def test_used_port_has_a_fix() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ListenError) as caught:
        listen(Settings(port=other.getsockname()[1]))
    assert caught.value.number == errno.EADDRINUSE
    assert "Stop the process that uses it" in caught.value.fix
