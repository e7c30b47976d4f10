"""One call of a vendor: headers out, status and timeouts mapped, the answer read piece by piece."""

import asyncio
import dataclasses
import math
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager

import aiohttp

from polyant.adapters.llm.answer import Answer
from polyant.adapters.llm.failures import CallFailedError, failure_of_answer, failure_of_exception
from polyant.adapters.llm.sse import SseDecoder
from polyant.adapters.llm.watch import Limits, Watch
from polyant.domain.chat import ModelEvent, TextDelta
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.ports.clock import Clock
from polyant.domain.secrets import SecretText

_HEADERS = {
    "Accept-Encoding": "identity",  # what is compressed can't be bounded by counting what arrives
    "Content-Type": "application/json",
    "User-Agent": "polyant",
}
_MAX_REFUSAL_BYTES = 16 * 1024
_REQUEST_ID = re.compile(r"\A[\w.-]{1,64}\Z", re.ASCII)
_SUCCESS = range(200, 300)
_UNACCEPTABLE = frozenset({400, 422})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VendorCall:
    """What is sent to a vendor; without a repr, because the headers hold the key."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    stream: bool
    deadline: float
    amend: Callable[[bytes], bool] | None = None
    """Is shown why the vendor finds the request unacceptable; returns whether the next attempt will do without that."""


def open_session() -> aiohttp.ClientSession:
    """Returns the session that all providers share, without limits, cookies or a total timeout.

    It is to be called inside the event loop.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
    )


class VendorHttp:
    """Makes calls over the shared session, under the timeouts of a provider."""

    def __init__(self, *, http: aiohttp.ClientSession, clock: Clock, timeouts: ProviderTimeouts) -> None:
        self._http = http
        self._clock = clock
        self._timeouts = timeouts
        # The name look-up and the TLS handshake are part of connecting; the rest is under `Watch`.
        self._timeout = aiohttp.ClientTimeout(total=None, connect=timeouts.connect)

    async def attempt(self, call: VendorCall, answer: Answer) -> AsyncGenerator[ModelEvent, None]:
        """Makes the call once and yields the answer as it comes.

        Raises:
            CallFailedError: There is no answer, or only a part of one.
        """
        with _translated():
            watch = await self._open(call, answer)
            try:
                if call.stream and watch.is_stream:
                    feed = SseDecoder().feed
                    while not answer.done and (chunk := await watch.read()):
                        for data in feed(chunk):
                            if text := answer.read_event(data):
                                yield TextDelta(text)
                    await watch.drain()
                elif text := answer.read_whole(await watch.read_all()):
                    yield TextDelta(text)
            finally:
                watch.close()
        if not answer.complete:
            raise CallFailedError(ProviderFailure.BAD_RESPONSE, retry=True)
        for event in answer.end():
            yield event

    async def reach(self, provider: str, url: str) -> None:
        """Returns if anything at the URL speaks HTTP.

        Raises:
            ProviderError: Nothing does.
        """
        try:
            with _translated():
                async with asyncio.timeout(2 * self._timeouts.connect):
                    with _unsendable_translated():
                        response = await self._http.get(
                            url, headers=_HEADERS, timeout=self._timeout, allow_redirects=False
                        )
                response.close()
                return
        except CallFailedError as error:
            failure = error
        raise ProviderError(provider, failure.kind)

    async def _open(self, call: VendorCall, answer: Answer) -> Watch:
        seconds = call.deadline - self._clock.monotonic()
        if seconds <= 0:
            raise CallFailedError(ProviderFailure.TIMEOUT)
        now = asyncio.get_running_loop().time()
        limits = Limits(
            over_at=now + seconds,
            first_piece_at=now + self._timeouts.first_token if call.stream else math.inf,
            idle=self._timeouts.idle if call.stream else math.inf,
        )
        async with asyncio.timeout_at(limits.first_piece_at):
            response = await self._post(call)
        return Watch(response, answer, limits)

    async def _post(self, call: VendorCall) -> aiohttp.ClientResponse:
        with _unsendable_translated():
            response = await self._http.post(
                call.url,
                data=call.body,
                headers={**_HEADERS, **call.headers},
                timeout=self._timeout,
                allow_redirects=False,  # a redirect would take the key to somewhere else
            )
        if response.status in _SUCCESS:
            return response
        try:
            failure = failure_of_answer(
                response.status, response.headers, self._clock.now(), _request_id(response.headers, call)
            )
            if call.amend and response.status in _UNACCEPTABLE and call.amend(await _refusal(response)):
                failure.retry, failure.wait = True, 0.0
            raise failure
        finally:
            response.close()


def header_value(secret: SecretText) -> str:
    """Returns a key as it may stand in a header.

    Raises:
        CallFailedError: It can't be a key: no header can carry it.
    """
    key = secret.reveal()
    if not key.isascii() or not key.isprintable():
        raise CallFailedError(ProviderFailure.AUTH)
    return key


def _request_id(answered: Mapping[str, str], call: VendorCall) -> str:
    """Returns the vendor's name for the request, for the log; none that holds what might be the key sent back."""
    name = answered.get("request-id") or answered.get("x-request-id") or ""
    echoed = any(name in sent or sent.rpartition(" ")[2] in name for sent in call.headers.values())
    return "-" if echoed or not _REQUEST_ID.match(name) else name


async def _refusal(response: aiohttp.ClientResponse) -> bytes:
    text = b""
    while len(text) < _MAX_REFUSAL_BYTES and (chunk := await response.content.read(_MAX_REFUSAL_BYTES)):
        text += chunk
    return text


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        raise failure_of_exception(error) from None


@contextmanager
def _unsendable_translated() -> Iterator[None]:
    """Translates what aiohttp raises for a URL or a header that no request can carry; any other ValueError is a bug."""
    try:
        yield
    except ValueError as error:
        raise failure_of_exception(error) from None
