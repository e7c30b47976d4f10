"""The HTTP client for provider calls: sends requests, enforces timeouts and maps errors."""

import asyncio
import dataclasses
import math
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractContextManager, suppress
from types import TracebackType

import aiohttp

from polyant.adapters.llm.bounded_response import BoundedResponse, ResponseLimits
from polyant.adapters.llm.failures import CallFailedError, failure_of_exception, failure_of_response
from polyant.adapters.llm.json_lines import JsonLinesDecoder
from polyant.adapters.llm.public_http import PublicHttp
from polyant.adapters.llm.refused_tools import refused_tools
from polyant.adapters.llm.response_reader import ResponseReader, is_json
from polyant.adapters.llm.sse import SseDecoder
from polyant.domain.chat import ModelEvent, TextDelta
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.ports.clock import Clock
from polyant.domain.proxies import ProxyRules
from polyant.domain.proxy_routes import ProxyRoutes, Route
from polyant.domain.secrets import SecretText

_HEADERS = {
    "Accept-Encoding": "identity",  # the size limit counts received bytes, which only works without compression
    "Content-Type": "application/json",
    "User-Agent": "polyant",
}
_MAX_ERROR_BODY_BYTES = 16 * 1024
_MAX_ERROR_BODY_SECONDS = 2.0
_REQUEST_ID = re.compile(r"\A[\w.-]{1,64}\Z", re.ASCII)
_SUCCESS = range(200, 300)
_INVALID_REQUEST_STATUSES = frozenset({400, 422})
_REFUSED_MEDIA_STATUSES = frozenset({404, 413, 415, 500, 501})
"""The further statuses with which servers refuse media; llama.cpp sends 500, OpenRouter 404."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProviderCall:
    """A request to a provider; without a repr, because the headers contain the key."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    stream: bool
    deadline: float
    public_only: bool = False
    tools: tuple[str, ...] = ()
    """The names of the tools in the request, in order."""
    amend: Callable[[bytes], bool] | None = None
    """Receives the body of a 400 or 422 response and returns whether the next attempt will avoid the error.

    It raises CallFailedError if the body tells the kind of failure better than the status.
    """
    has_media: bool = False
    """Whether the request contains media; then `amend` also receives the bodies with which servers refuse these."""
    json_lines: bool = False
    """Whether streams are known to be JSON objects in lines, so that the first one needn't wait for the next one."""


class ProviderClient:
    """Makes provider calls over the shared session, with a provider's timeouts.

    Args:
        http: The session for addresses without restriction.
        clock: Measures deadlines.
        timeouts: The provider's timeouts.
        public_http: The session for addresses that have to be public; without it, calls to these fail.
        proxies: The proxies to use.
    """

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        timeouts: ProviderTimeouts,
        public_http: PublicHttp | None = None,
        proxies: ProxyRules | None = None,
    ) -> None:
        self._http = http
        self._public_http = public_http
        self._routes = ProxyRoutes(proxies or ProxyRules())
        self._clock = clock
        self._timeouts = timeouts
        # Name resolution and the TLS handshake count as connecting; BoundedResponse limits the rest.
        self._timeout = aiohttp.ClientTimeout(total=None, connect=timeouts.connect)

    async def attempt(self, call: ProviderCall, reader: ResponseReader) -> AsyncGenerator[ModelEvent, None]:
        """Makes the call once and yields the response's events as they arrive.

        Raises:
            CallFailedError: There is no response, or it is incomplete.
        """
        with _CONNECTION_ERRORS:
            response = await self._open(call, reader)
            try:
                chunk = await response.read_start()
                if call.stream:
                    in_lines = call.json_lines or is_json(chunk)
                    decoder = JsonLinesDecoder(is_stream=call.json_lines) if in_lines else SseDecoder()
                    feed = decoder.feed
                    while chunk:
                        for data in feed(chunk):
                            if text := reader.read_event(data):
                                yield TextDelta(text)
                        chunk = b"" if reader.done else await response.read()
                    if text := reader.read_last_event(decoder) + reader.rest():
                        yield TextDelta(text)
                    await response.drain()
                elif (text := reader.read_whole(chunk + await response.read_all())) and reader.complete:
                    yield TextDelta(text)
            finally:
                response.close()
        if not reader.complete:
            raise CallFailedError(ProviderFailure.BAD_RESPONSE, retry=True)
        for event in reader.end():
            yield event

    async def reach(self, provider: str, url: str, *, public_only: bool) -> None:
        """Returns if an HTTP server responds at the URL.

        Raises:
            ProviderError: No HTTP server responds.
        """
        try:
            with _CONNECTION_ERRORS:
                async with asyncio.timeout(2 * self._timeouts.connect):
                    with _INVALID_REQUESTS:
                        route = self._routes.route_to(url)
                        response = await self._session(route, public_only=public_only).get(
                            url,
                            headers={**_HEADERS, **route.headers},
                            proxy=route.proxy,
                            proxy_headers=route.proxy_headers,
                            timeout=self._timeout,
                            allow_redirects=False,
                        )
                response.close()
                return
        except CallFailedError as error:
            failure = error
        raise ProviderError(provider, failure.kind)

    def _session(self, route: Route, *, public_only: bool) -> aiohttp.ClientSession:
        if not public_only:
            return self._http
        # A proxy resolves names itself, so that nobody can check the address that it connects to.
        if self._public_http is None or route.proxy is not None:
            raise CallFailedError(ProviderFailure.UNREACHABLE)
        return self._public_http.session

    async def _open(self, call: ProviderCall, reader: ResponseReader) -> BoundedResponse:
        seconds = call.deadline - self._clock.monotonic()
        if seconds <= 0:
            raise CallFailedError(ProviderFailure.TIMEOUT)
        now = asyncio.get_running_loop().time()
        limits = ResponseLimits(
            deadline=now + seconds,
            first_token_deadline=now + self._timeouts.first_token if call.stream else math.inf,
            idle_seconds=self._timeouts.idle if call.stream else math.inf,
        )
        async with asyncio.timeout_at(limits.first_token_deadline):
            response = await self._post(call)
        return BoundedResponse(response, reader, limits)

    async def _post(self, call: ProviderCall) -> aiohttp.ClientResponse:
        with _INVALID_REQUESTS:
            route = self._routes.route_to(call.url)
            response = await self._session(route, public_only=call.public_only).post(
                call.url,
                data=call.body,
                headers={**_HEADERS, **call.headers, **route.headers},
                proxy=route.proxy,
                proxy_headers=route.proxy_headers,
                timeout=self._timeout,
                allow_redirects=False,  # a redirect would send the key to another server
            )
        if response.status in _SUCCESS:
            return response
        try:
            failure = failure_of_response(
                response.status, response.headers, self._clock.now(), _request_id(response.headers, call)
            )
            if response.status in _INVALID_REQUEST_STATUSES or (
                call.has_media and response.status in _REFUSED_MEDIA_STATUSES
            ):
                body = await _error_body(response)
                if call.amend and call.amend(body):
                    failure.retry, failure.wait = True, 0.0
                failure.refused_tools = refused_tools(body, call.tools)
            raise failure
        finally:
            response.close()


def header_value(secret: SecretText) -> str:
    """Returns a key as a header value.

    Raises:
        CallFailedError: The key has characters that no header can contain.
    """
    key = secret.reveal()
    if not key.isascii() or not key.isprintable():
        raise CallFailedError(ProviderFailure.AUTH)
    return key


def _request_id(headers: Mapping[str, str], call: ProviderCall) -> str:
    """Returns the provider's request id for the log, or `-` if it is missing or might contain the key."""
    name = headers.get("request-id") or headers.get("x-request-id") or ""
    echoed = any(name in sent or sent.rpartition(" ")[2] in name for sent in call.headers.values())
    return "-" if echoed or not _REQUEST_ID.match(name) else name


async def _error_body(response: aiohttp.ClientResponse) -> bytes:
    """Returns the start of the body, also if the rest doesn't arrive: the status alone says that the call failed."""
    text = b""
    with suppress(aiohttp.ClientError, OSError):
        async with asyncio.timeout(_MAX_ERROR_BODY_SECONDS):
            while len(text) < _MAX_ERROR_BODY_BYTES and (chunk := await response.content.read(_MAX_ERROR_BODY_BYTES)):
                text += chunk
    return text


class _Translation(AbstractContextManager[None]):
    """Raises errors of some types as CallFailedError; a class, because each call to a provider enters two of them."""

    __slots__ = ("_types",)

    def __init__(self, *types: type[Exception]) -> None:
        self._types = types

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, self._types):
            raise failure_of_exception(error) from None


_CONNECTION_ERRORS = _Translation(aiohttp.ClientError, OSError)
_INVALID_REQUESTS = _Translation(ValueError)
"""For aiohttp's errors for an invalid URL or header; any other ValueError is a bug."""
