"""Checks the address that clients use: redirects, and the headers that the proxies before the server send."""

import asyncio
import http.client
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from polyant.cli.doctor.finding import Finding, fault, ok
from polyant.home import auth_secret_of
from polyant.http.operator_proof import HEADER, OperatorProof
from polyant.settings import Settings

_SECONDS = 10.0
_SPOOFED = "192.0.2.99"
"""An address that no client has (RFC 5737). The check claims it, as a caller that wants to evade a limit would."""
_REDIRECTS = range(300, 400)
_OK, _FORBIDDEN, _NOT_FOUND = 200, 403, 404
_DEFAULT_PORTS = {"http": 80, "https": 443}


class PublicAddress(msgspec.Struct, frozen=True):
    """The address that clients use, and the settings of the server behind it."""

    settings: Settings
    url: str


class _Response(msgspec.Struct, frozen=True):
    status: int
    location: str
    body: bytes


class _Health(msgspec.Struct):
    service: Literal["polyant"]


class _Seen(msgspec.Struct):
    client: str
    origin: str
    forwarded_for: list[str]


def parse_url(text: str) -> str:
    """Returns an http or https URL without `/v1` at its end.

    Raises:
        ValueError: The text is another URL, or none.
    """
    parts = urlsplit(text)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ValueError
    _ = parts.port  # raises an error for an invalid one
    return text.rstrip("/").removesuffix("/v1")


async def check_proxy(address: PublicAddress) -> AsyncIterator[Finding]:
    """Yields how the server saw a request through its proxies, or why the request didn't reach it.

    Raises:
        SettingsError: There is no AUTH_SECRET, which the server recognises the request by.
    """
    proof = OperatorProof(auth_secret_of(address.settings, create=False)).create(time.time())
    headers = {HEADER: proof, "X-Forwarded-For": _SPOOFED}
    try:
        response = await asyncio.to_thread(_get, f"{address.url}/health/seen", headers)
        health = response if response.status == _OK else await asyncio.to_thread(_get, f"{address.url}/health", {})
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: no valid host name or path
        reason = str(error) or type(error).__name__
        yield fault("proxy", f"can't call {address.url}: {reason}", fix="Check the name, the certificate and the proxy")
        return
    if response.status == _OK and (seen := _decoded(response, _Seen)) is not None:
        for finding in list(_findings(address, seen)) or [_fine(address, seen)]:
            yield finding
    else:
        yield _unreached(address, response, health)


def _findings(address: PublicAddress, seen: _Seen) -> Iterator[Finding]:
    hops = address.settings.trust_proxy
    entries, through = seen.forwarded_for, f"requests to {address.url}"
    if hops and len(entries) < hops:
        yield fault(
            "proxy",
            f"{through} arrive with {len(entries)} entries of X-Forwarded-For, but TRUST_PROXY is {hops}: "
            "all clients share one rate limit",
            fix="Let each proxy append the client's address, or set TRUST_PROXY to the number of proxies that do",
        )
    elif hops and seen.client == _SPOOFED:
        yield fault(
            "proxy",
            f"{through} arrive with the X-Forwarded-For of the caller ({', '.join(entries)}): "
            f"with TRUST_PROXY={hops}, callers choose the address that rate limits count",
            fix="Let the outermost proxy replace X-Forwarded-For, or set TRUST_PROXY to the number of proxies that "
            "append to it",
        )
    elif not hops and entries != [_SPOOFED]:
        yield fault(
            "proxy",
            f"{through} arrive through a proxy as the client {seen.client}, but TRUST_PROXY is 0: "
            "all clients share one rate limit",
            fix="Set TRUST_PROXY to the number of proxies",
        )
    yield from _origin_findings(address, seen.origin)


def _origin_findings(address: PublicAddress, origin: str) -> Iterator[Finding]:
    wanted, found = urlsplit(address.url), urlsplit(origin)
    if found.scheme != wanted.scheme:
        yield fault(
            "proxy",
            f"the server saw {found.scheme} instead of {wanted.scheme}, so pages of {address.url} can't sign in",
            fix="Let the proxy send X-Forwarded-Proto, and set TRUST_PROXY to the number of proxies",
        )
    if _host_of(found, wanted.scheme) != _host_of(wanted, wanted.scheme):
        yield fault(
            "proxy",
            f"the server saw the host {found.netloc} instead of {wanted.netloc}",
            fix=f"Let the proxy pass the Host header, or set PUBLIC_URL to {wanted.scheme}://{wanted.netloc}",
        )


def _unreached(address: PublicAddress, response: _Response, health: _Response) -> Finding:
    """Returns why the request through the proxy got no description of itself."""
    url = address.url
    if response.status in _REDIRECTS:
        where = response.location.removesuffix("/health/seen")
        problem = f"{url} redirects to {where}, and clients don't repeat a POST at another address"
        return fault("proxy", problem, fix=f"Give clients {where}/v1 as base URL")
    if response.status == _FORBIDDEN and b"does not answer to that Host" in response.body:
        return fault("proxy", f"the server refuses the host of {url}", fix="Add the host name to ALLOWED_HOSTS")
    if _decoded(health, _Health) is None:
        problem = f"{url}/health responds {health.status}, not as a server of Polyant does"
        return fault("proxy", problem, fix="Check where the proxy sends requests, and that the server is running")
    problem = f"the server at {url} doesn't recognise this command ({response.status})"
    fix = "Run it with the AUTH_SECRET and the version of that server, and compare the clocks"
    return fault("proxy", problem, fix=fix)


def _fine(address: PublicAddress, seen: _Seen) -> Finding:
    return ok("proxy", f"the server saw the client {seen.client} and the origin {seen.origin} through {address.url}")


def _host_of(parts: SplitResult, scheme: str) -> tuple[str | None, int]:
    return parts.hostname, parts.port or _DEFAULT_PORTS[scheme]


def _decoded(response: _Response, kind: type) -> Any:
    try:
        return msgspec.json.decode(response.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _get(url: str, headers: dict[str, str]) -> _Response:
    """Returns the response to a GET; redirects aren't followed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        connection.request("GET", parts.path, headers=headers)
        response = connection.getresponse()
        return _Response(response.status, response.headers.get("Location", ""), response.read(65_536))
    finally:
        connection.close()
