"""Checks whether the server can listen on the configured address."""

import asyncio
import errno
import http.client
from collections.abc import AsyncIterator

import msgspec

from polyant.cli.doctor.finding import Finding, fault, ok
from polyant.cli.listening import ListenError, bind
from polyant.settings import Settings

_SECONDS = 3.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


class _Health(msgspec.Struct):
    service: str


async def check_port(settings: Settings) -> AsyncIterator[Finding]:
    """Yields whether the address is free, or a running server of Polyant listens there."""
    place = f"{settings.host} port {settings.port}" if settings.port else f"{settings.host}, any free port"
    try:
        bind(settings).close()
    except ListenError as error:
        if error.number != errno.EADDRINUSE:
            yield fault("port", error.problem, fix=error.fix)
        elif await asyncio.to_thread(_is_polyant, settings):
            yield ok("port", f"a server of Polyant is running on {place}")
        else:
            fix = f"Find the process with `ss -ltnp 'sport = :{settings.port}'` and stop it, or set another API_PORT"
            yield fault("port", f"another program listens on {place}", fix=fix)
    else:
        yield ok("port", f"{place} can be used")


def _is_polyant(settings: Settings) -> bool:
    host = _WILDCARDS.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/health")
        body = connection.getresponse().read(1_024)
        return msgspec.json.decode(body, type=_Health).service == "polyant"
    except (OSError, http.client.HTTPException, msgspec.DecodeError, UnicodeDecodeError):
        return False
    finally:
        connection.close()
