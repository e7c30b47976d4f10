"""A ChatModel for a vendor of its own, written with nothing but the public parts."""

from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp
import msgspec
import pytest

from polyant import llm
from polyant.domain.chat import ModelEvent, ModelFinished, ModelRequest, TextDelta, Usage, UserMessage
from polyant.domain.errors import ProviderError
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.secrets import SecretName, SecretText
from polyant.testing.instant_clock import InstantClock
from polyant.testing.provider_scripts import events_of
from polyant.testing.upstream import Gate, Reply, ScriptedUpstream

KEY = "acme-key-0123456789"
STREAM = {"Content-Type": "text/event-stream"}


class Piece(msgspec.Struct, frozen=True):
    text: str = ""
    tokens: int = 0
    last: bool = False


PIECES = msgspec.json.Decoder(Piece)


class AcmeReader(llm.ResponseReader):
    def read_event(self, data: bytes) -> str:
        piece = llm.decode(PIECES, data)
        if piece.last:
            self.usage, self.finish_reason = Usage(piece.tokens, 1), "stop"
            self.complete = self.done = True
        return self.received(piece.text)

    def read_body(self, body: bytes) -> str:
        return self.read_event(body)

    def calls(self) -> list[llm.PartialToolCall]:
        return []


class AcmeChatModel(ChatModel):
    info = ProviderInfo(name="acme", default_model="a", base_url="http://acme.invalid", secret=SecretName("acme_key"))

    def __init__(self, *, http: aiohttp.ClientSession, json_lines: bool = False) -> None:
        self._json_lines = json_lines
        self._clock = InstantClock()
        self._client = llm.ProviderClient(http=http, clock=self._clock, timeouts=ProviderTimeouts())

    def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        key = request.api_key
        call = llm.ProviderCall(
            url=f"{request.base_url}/chat",
            headers={} if key is None else {"X-Key": llm.header_value(key), **llm.trace_headers(request.trace)},
            body=b"{}",
            stream=request.stream,
            deadline=request.deadline,
            json_lines=self._json_lines,
        )
        return llm.with_retries(
            lambda: self._client.attempt(call, AcmeReader()),
            provider=self.info.name,
            clock=self._clock,
            deadline=request.deadline,
        )

    async def check(self, base_url: str, *, public_only: bool = False) -> None:
        await self._client.reach(self.info.name, base_url, public_only=public_only)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


def request_to(upstream: ScriptedUpstream) -> ModelRequest:
    return ModelRequest(
        model="a",
        base_url=upstream.url,
        api_key=SecretText(KEY),
        system="",
        messages=(UserMessage.of("Hello?"),),
        stream=True,
        deadline=InstantClock().monotonic() + 60,
    )


async def ask(upstream: ScriptedUpstream) -> list[ModelEvent]:
    async with aiohttp.ClientSession() as http:
        return await events_of(AcmeChatModel(http=http), request_to(upstream))


async def test_stream_is_read_after_a_retry(upstream: ScriptedUpstream) -> None:
    pieces = (b'data: {"text":"Hel"}\n\n', b'data: {"text":"lo"}\n\n', b'data: {"last":true,"tokens":7}\n\n')
    upstream.replies += [Reply(status=503), Reply(headers=STREAM, framing="chunked", pieces=pieces)]
    events = await ask(upstream)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello"
    assert events[-1] == ModelFinished(usage=Usage(7, 1))
    assert upstream.requests[1].headers["x-key"] == KEY


async def test_cut_stream_is_a_failure_without_the_key(upstream: ScriptedUpstream) -> None:
    upstream.otherwise = Reply(headers=STREAM, framing="close", pieces=(b'data: {"text":"Hel"}\n\n',))
    with pytest.raises(ProviderError) as caught:
        await ask(upstream)
    assert KEY not in f"{caught.value!r} {caught.value.__context__!r}"


@pytest.mark.parametrize("json_lines", [True, False])
async def test_text_in_json_lines_arrives_line_by_line(upstream: ScriptedUpstream, *, json_lines: bool) -> None:
    gate = Gate()
    before, after = (b"", b'{"text":') if json_lines else (b'{"text":', b"")  # it could be one document
    pieces = (b'{"text":"Hel"}\n' + before, gate, after + b'"lo"}\n{"last":true,"tokens":7}')
    upstream.replies.append(Reply(headers={"Content-Type": "application/x-ndjson"}, framing="chunked", pieces=pieces))
    async with aiohttp.ClientSession() as http:
        events = AcmeChatModel(http=http, json_lines=json_lines).generate(request_to(upstream))
        assert await anext(events) == TextDelta("Hel")  # the rest isn't sent yet
        gate.open()
        rest = [event async for event in events]
    assert rest == [TextDelta("lo"), ModelFinished(usage=Usage(7, 1))]


async def test_cut_stream_of_json_lines_is_a_failure(upstream: ScriptedUpstream) -> None:
    upstream.otherwise = Reply(framing="close", pieces=(b'{"text":"Hel"}\n{"text":',))
    with pytest.raises(ProviderError):
        await ask(upstream)


def test_every_public_name_is_documented() -> None:
    assert all(getattr(llm, name).__doc__ for name in llm.__all__)
