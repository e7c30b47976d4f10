"""Calls when the network or the provider misbehaves, tested with the provider openai."""

import asyncio
import gzip
import socket
from collections.abc import Callable
from contextlib import aclosing

import aiohttp
import aiohttp.abc
import msgspec
import pytest

from polyant.adapters.llm.failures import CallFailedError
from polyant.adapters.llm.http import ProviderCall, ProviderClient
from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.adapters.llm.response_reader import ResponseReader
from polyant.domain.chat import ModelEvent, ModelRequest, TextDelta, Usage
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.secrets import SecretText
from polyant.testing.event_stream import EVENT_STREAM, stream
from polyant.testing.instant_clock import InstantClock
from polyant.testing.provider_scripts import HELLO, ScriptedAnswer, events_of, expected_events
from support.openai_replies import openai_events, openai_partial_stream, openai_responder
from support.patience import PATIENCE, seconds
from support.upstream import HANG_BEFORE_HEAD, Gate, Reply, ScriptedUpstream, Then, json_reply

SHORT = seconds(0.1)
NONE_BY_CHANCE = PATIENCE
DONE = b"data: [DONE]\n\n"
PATIENT = ProviderTimeouts(connect=NONE_BY_CHANCE, first_token=NONE_BY_CHANCE, idle=NONE_BY_CHANCE)

MakeModel = Callable[[ProviderTimeouts], OpenAIChatModel]


@pytest.fixture
def make_model(http: aiohttp.ClientSession, clock: InstantClock) -> MakeModel:
    return lambda timeouts: OpenAIChatModel(http=http, clock=clock, timeouts=timeouts)


@pytest.fixture
def model(make_model: MakeModel) -> OpenAIChatModel:
    return make_model(PATIENT)


async def failure_of(model: OpenAIChatModel, request: ModelRequest) -> tuple[list[ModelEvent], ProviderFailure]:
    """Returns the events before a call failed, and the kind of failure."""
    came: list[ModelEvent] = []
    try:
        async with aclosing(model.generate(request)) as events:
            async for event in events:
                came.append(event)  # noqa: PERF401 - the events must survive the error
    except ProviderError as error:
        return came, error.kind
    pytest.fail("the call did not fail")


def whole(request: ModelRequest) -> ModelRequest:
    return msgspec.structs.replace(request, stream=False)


class BrokenResponseReader(ResponseReader):
    """A decoder with a bug."""

    def read_body(self, body: bytes) -> str:
        raise ValueError("a bug")


async def attempt(http: aiohttp.ClientSession, url: str, answer: ResponseReader, **headers: str) -> None:
    vendor = ProviderClient(http=http, clock=InstantClock(), timeouts=PATIENT)
    call = ProviderCall(url=url, headers=headers, body=b"{}", stream=False, deadline=NONE_BY_CHANCE)
    async with aclosing(vendor.attempt(call, answer)) as events:
        async for _ in events:
            pass


class TestValueErrors:
    async def test_bug_in_the_decoder_is_not_a_provider_failure(
        self, upstream: ScriptedUpstream, http: aiohttp.ClientSession
    ) -> None:
        upstream.otherwise = json_reply({})
        with pytest.raises(ValueError, match="a bug"):
            await attempt(http, upstream.url, BrokenResponseReader())

    @pytest.mark.parametrize(
        ("url", "headers", "kind"),
        [
            ("{upstream}", {"X-Key": "two\nlines"}, ProviderFailure.BAD_REQUEST),
            ("http://[::1/", {}, ProviderFailure.UNREACHABLE),
            ("http://127.0.0.1:99999/", {}, ProviderFailure.UNREACHABLE),
        ],
    )
    async def test_unsendable_request_is_a_failed_call(
        self,
        upstream: ScriptedUpstream,
        http: aiohttp.ClientSession,
        url: str,
        headers: dict[str, str],
        kind: ProviderFailure,
    ) -> None:
        with pytest.raises(CallFailedError) as caught:
            await attempt(http, url.format(upstream=upstream.url), BrokenResponseReader(), **headers)
        assert caught.value.kind is kind


class TestTimeouts:
    async def test_comments_do_not_count_as_the_first_token(
        self, upstream: ScriptedUpstream, make_model: MakeModel, model_request: ModelRequest
    ) -> None:
        pings = (b": ping\n\n", SHORT / 5) * 10
        upstream.otherwise = Reply(headers=EVENT_STREAM, framing="chunked", pieces=(*pings, Then.HANG))
        timeouts = msgspec.structs.replace(PATIENT, first_token=SHORT)
        assert await failure_of(make_model(timeouts), model_request) == ([], ProviderFailure.TIMEOUT)

    async def test_missing_head_exceeds_the_first_token_timeout(
        self, upstream: ScriptedUpstream, make_model: MakeModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = HANG_BEFORE_HEAD
        timeouts = msgspec.structs.replace(PATIENT, first_token=SHORT)
        assert await failure_of(make_model(timeouts), model_request) == ([], ProviderFailure.TIMEOUT)
        assert len(upstream.requests) == 1

    async def test_first_token_may_take_longer_than_the_idle_timeout(
        self, upstream: ScriptedUpstream, make_model: MakeModel, model_request: ModelRequest
    ) -> None:
        events = [*openai_events(HELLO), DONE]
        upstream.otherwise = Reply(headers=EVENT_STREAM, framing="chunked", pieces=(SHORT * 3, b"".join(events)))
        timeouts = msgspec.structs.replace(PATIENT, idle=SHORT)
        assert TextDelta("Hel") in await events_of(make_model(timeouts), model_request)

    async def test_silent_stream_times_out(
        self, upstream: ScriptedUpstream, make_model: MakeModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = openai_partial_stream("Hel", then=Then.HANG)
        timeouts = msgspec.structs.replace(PATIENT, idle=SHORT)
        assert await failure_of(make_model(timeouts), model_request) == ([TextDelta("Hel")], ProviderFailure.TIMEOUT)
        await upstream.requests[0].hung_up.wait()

    async def test_consumer_time_does_not_count_as_provider_time(
        self, upstream: ScriptedUpstream, make_model: MakeModel, model_request: ModelRequest
    ) -> None:
        first, rest, gate = *_two_halves(), Gate()
        upstream.otherwise = Reply(headers=EVENT_STREAM, framing="chunked", pieces=(first, gate, rest))
        model = make_model(msgspec.structs.replace(PATIENT, first_token=SHORT, idle=SHORT))
        async with aclosing(model.generate(model_request)) as events:
            assert await anext(events) == TextDelta("Hel")
            await asyncio.sleep(3 * SHORT)
            gate.open()
            rest_of_it = [event async for event in events]
        assert rest_of_it[0] == TextDelta("lo, ")

    @pytest.mark.parametrize("reply", [HANG_BEFORE_HEAD, Reply(framing="chunked", pieces=(b"{", Then.HANG))])
    async def test_whole_answer_has_until_the_deadline(
        self, upstream: ScriptedUpstream, make_model: MakeModel, model_request: ModelRequest, reply: Reply
    ) -> None:
        upstream.otherwise = reply
        impatient = ProviderTimeouts(connect=NONE_BY_CHANCE, first_token=SHORT / 10, idle=SHORT / 10)
        request = msgspec.structs.replace(whole(model_request), deadline=3 * SHORT)
        assert await failure_of(make_model(impatient), request) == ([], ProviderFailure.TIMEOUT)

    async def test_whole_answer_may_exceed_the_first_token_timeout(
        self, upstream: ScriptedUpstream, make_model: MakeModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = Reply(pieces=(SHORT, b'{"choices":[{"message":{"content":"late"}}]}'))
        model = make_model(msgspec.structs.replace(PATIENT, first_token=SHORT / 10, idle=SHORT / 10))
        assert (await events_of(model, whole(model_request)))[0] == TextDelta("late")

    async def test_stream_has_until_the_deadline(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = openai_partial_stream("Hel", then=Then.HANG)
        request = msgspec.structs.replace(model_request, deadline=SHORT)
        assert await failure_of(model, request) == ([TextDelta("Hel")], ProviderFailure.TIMEOUT)

    async def test_deadline_holds_for_a_slow_consumer(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = openai_partial_stream("Hel", then=Then.HANG)
        async with aclosing(model.generate(msgspec.structs.replace(model_request, deadline=SHORT))) as events:
            await anext(events)
            await upstream.requests[0].hung_up.wait()
            with pytest.raises(ProviderError) as caught:
                await anext(events)
        assert caught.value.kind is ProviderFailure.TIMEOUT

    async def test_connection_timeout_is_not_retried(self, clock: InstantClock, model_request: ModelRequest) -> None:
        resolver = _Resolver(asyncio.Event().wait)
        timeouts = msgspec.structs.replace(PATIENT, connect=SHORT)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as http:
            model = OpenAIChatModel(http=http, clock=clock, timeouts=timeouts)
            request = msgspec.structs.replace(model_request, base_url="http://provider.invalid/v1")
            assert await failure_of(model, request) == ([], ProviderFailure.TIMEOUT)
        assert clock.waits == []

    async def test_availability_check_times_out(
        self, upstream: ScriptedUpstream, make_model: MakeModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = HANG_BEFORE_HEAD
        with pytest.raises(ProviderError) as caught:
            await make_model(msgspec.structs.replace(PATIENT, connect=SHORT)).check(model_request.base_url)
        assert caught.value.kind is ProviderFailure.TIMEOUT


class TestConnections:
    @pytest.mark.parametrize("streamed", [True, False])
    async def test_connection_of_a_finished_call_is_reused(
        self,
        *,
        upstream: ScriptedUpstream,
        model: OpenAIChatModel,
        model_request: ModelRequest,
        streamed: bool,
    ) -> None:
        upstream.otherwise = openai_responder()
        for _ in range(3):
            await events_of(model, msgspec.structs.replace(model_request, stream=streamed))
        assert [request.connection for request in upstream.requests] == [1, 1, 1]

    async def test_connection_is_reused_when_the_body_ends_just_after_the_answer(
        self,
        upstream: ScriptedUpstream,
        model: OpenAIChatModel,
        model_request: ModelRequest,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("polyant.adapters.llm.bounded_response._DRAIN_SECONDS", PATIENCE)
        answer = b"".join([*openai_events(HELLO), DONE])
        upstream.otherwise = Reply(headers=EVENT_STREAM, framing="chunked", pieces=(answer, 0.01))
        for _ in range(2):
            await events_of(model, model_request)
        assert [request.connection for request in upstream.requests] == [1, 1]

    async def test_call_past_its_deadline_sends_nothing_over_an_open_connection(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = openai_responder()
        await events_of(model, model_request)
        request = msgspec.structs.replace(model_request, deadline=0.0)
        assert await failure_of(model, request) == ([], ProviderFailure.TIMEOUT)
        assert len(upstream.requests) == 1

    async def test_data_after_the_end_is_read_and_ignored(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = stream([*openai_events(HELLO), DONE, b"data: rubbish\n\n", b"more"])
        for _ in range(2):
            assert len(await events_of(model, model_request)) == len(HELLO.text) + 1
        assert [request.connection for request in upstream.requests] == [1, 1]

    async def test_unfinished_body_after_the_answer_delays_nothing(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = stream([*openai_events(HELLO), DONE], Then.HANG)
        assert len(await events_of(model, model_request)) == len(HELLO.text) + 1
        await upstream.requests[0].hung_up.wait()

    async def test_availability_check_accepts_any_response_and_sends_no_key(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = Reply(status=401, pieces=(b"no key",))
        await model.check(model_request.base_url)
        (request,) = upstream.requests
        assert (request.method, request.path) == ("GET", "/v1/models")
        assert "authorization" not in request.headers


class TestBadAnswers:
    @pytest.mark.parametrize(
        "reply",
        [
            stream([*openai_events(ScriptedAnswer(text=("Hel",)), ended=False)], Then.CUT),
            Reply(framing="close", pieces=(*openai_events(ScriptedAnswer(text=("Hel",)), ended=False),)),
            stream([*openai_events(ScriptedAnswer(text=("Hel",)), ended=False)]),
            stream([*openai_events(ScriptedAnswer(text=("Hel",)), ended=False), b"data: {\n\n"]),
            stream([*openai_events(ScriptedAnswer(text=("Hel",)), ended=False), b'data: "\xff"\n\n']),
        ],
        ids=["cut", "cut without chunks", "ended early", "invalid JSON", "invalid UTF-8"],
    )
    async def test_broken_stream_is_a_bad_response(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest, reply: Reply
    ) -> None:
        upstream.otherwise = reply
        assert await failure_of(model, model_request) == ([TextDelta("Hel")], ProviderFailure.BAD_RESPONSE)

    @pytest.mark.parametrize("framing", ["chunked", "close"])
    async def test_stream_cut_after_its_finish_reason_is_complete(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest, framing: str
    ) -> None:
        pieces = (b"".join(openai_events(HELLO)), Then.CUT)
        upstream.otherwise = Reply(headers=EVENT_STREAM, framing=framing, pieces=pieces)  # type: ignore[arg-type]  # one of its literals
        assert await events_of(model, model_request) == _without_usage(HELLO)

    async def test_silent_stream_after_its_finish_reason_is_complete(
        self, upstream: ScriptedUpstream, make_model: MakeModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = stream(openai_events(HELLO), Then.HANG)
        model = make_model(msgspec.structs.replace(PATIENT, idle=SHORT))
        assert await events_of(model, model_request) == _without_usage(HELLO)

    async def test_truncated_whole_answer_is_a_bad_response(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = Reply(framing="chunked", pieces=(b'{"choices":[', Then.CUT))
        assert await failure_of(model, whole(model_request)) == ([], ProviderFailure.BAD_RESPONSE)

    @pytest.mark.parametrize("streamed", [True, False])
    @pytest.mark.parametrize(
        "sent",
        [
            b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nants",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
            b"HTTP/1.1 204 No Content\r\n\r\n",
        ],
        ids=["other protocol", "invalid chunk", "invalid length", "invalid gzip", "HTML page", "empty"],
    )
    async def test_invalid_data_is_a_bad_response(
        self,
        *,
        upstream: ScriptedUpstream,
        model: OpenAIChatModel,
        model_request: ModelRequest,
        sent: bytes,
        streamed: bool,
    ) -> None:
        upstream.otherwise = Reply(framing="raw", pieces=(sent, Then.CUT))
        request = msgspec.structs.replace(model_request, stream=streamed)
        assert await failure_of(model, request) == ([], ProviderFailure.BAD_RESPONSE)

    @pytest.mark.parametrize("streamed", [True, False])
    async def test_endless_answer_is_a_bad_response(
        self,
        *,
        upstream: ScriptedUpstream,
        model: OpenAIChatModel,
        model_request: ModelRequest,
        monkeypatch: pytest.MonkeyPatch,
        streamed: bool,
    ) -> None:
        monkeypatch.setattr("polyant.adapters.llm.bounded_response.MAX_BYTES", 10_000)
        upstream.otherwise = stream([b": %b\n\n" % (b"x" * 20_000)], Then.HANG)
        request = msgspec.structs.replace(model_request, stream=streamed)
        assert await failure_of(model, request) == ([], ProviderFailure.BAD_RESPONSE)

    async def test_compression_is_not_requested_and_size_is_counted_decompressed(
        self,
        upstream: ScriptedUpstream,
        model: OpenAIChatModel,
        model_request: ModelRequest,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        answer = b"%b%b" % (b" " * 5_000, b'{"choices":[{"message":{"content":"ant"}}]}')
        upstream.otherwise = Reply(headers={"Content-Encoding": "gzip"}, pieces=(gzip.compress(answer),))
        assert (await events_of(model, whole(model_request)))[0] == TextDelta("ant")
        monkeypatch.setattr("polyant.adapters.llm.bounded_response.MAX_BYTES", 5_000)
        assert await failure_of(model, whole(model_request)) == ([], ProviderFailure.BAD_RESPONSE)
        assert upstream.requests[0].headers["accept-encoding"] == "identity"

    async def test_redirect_is_not_followed(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = Reply(status=307, headers={"Location": f"{upstream.url}/elsewhere"})
        assert await failure_of(model, model_request) == ([], ProviderFailure.BAD_RESPONSE)
        assert len(upstream.requests) == 1

    async def test_whole_answer_to_a_stream_request_is_accepted(
        self, upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
    ) -> None:
        upstream.otherwise = json_reply({"choices": [{"message": {"content": "ant"}}]})
        assert (await events_of(model, model_request))[0] == TextDelta("ant")


class TestUnreachable:
    async def test_closed_port_is_unreachable(self, model: OpenAIChatModel, model_request: ModelRequest) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        request = msgspec.structs.replace(model_request, base_url=f"http://127.0.0.1:{port}/v1")
        assert await failure_of(model, request) == ([], ProviderFailure.UNREACHABLE)

    async def test_server_without_tls_is_unreachable(self, model: OpenAIChatModel, model_request: ModelRequest) -> None:
        async def speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(speak_plainly, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            request = msgspec.structs.replace(model_request, base_url=f"https://127.0.0.1:{port}/v1")
            assert await failure_of(model, request) == ([], ProviderFailure.UNREACHABLE)

    async def test_unknown_host_is_unreachable(self, clock: InstantClock, model_request: ModelRequest) -> None:
        async def fail() -> None:
            raise OSError(-2, "Name or service not known")

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=_Resolver(fail))) as http:
            model = OpenAIChatModel(http=http, clock=clock, timeouts=PATIENT)
            request = msgspec.structs.replace(model_request, base_url="http://provider.invalid/v1")
            assert await failure_of(model, request) == ([], ProviderFailure.UNREACHABLE)

    @pytest.mark.parametrize("key", ["sk-0123\nX-Evil: 1", "sk-0123\r", "sk-Zoë", "sk-\x00"])
    async def test_key_with_invalid_header_characters_is_not_sent(
        self,
        *,
        upstream: ScriptedUpstream,
        model: OpenAIChatModel,
        model_request: ModelRequest,
        key: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        request = msgspec.structs.replace(model_request, api_key=SecretText(key))
        assert await failure_of(model, request) == ([], ProviderFailure.AUTH)
        assert upstream.requests == []
        assert "sk-" not in caplog.text


class TestLog:
    async def test_log_names_status_kind_and_provider_request_id(
        self,
        upstream: ScriptedUpstream,
        model: OpenAIChatModel,
        model_request: ModelRequest,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        upstream.otherwise = json_reply({}, status=400, headers={"x-request-id": "req_42"})
        await failure_of(model, model_request)
        assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
            ("polyant.llm", "WARNING", "openai call failed: bad_request (status 400, provider's request id req_42)")
        ]

    @pytest.mark.parametrize("name", ["Bearer sk-0123456789abcdef", "x-sk-0123456789abcdef-x", "0123456789", "a b"])
    async def test_log_omits_a_request_id_that_may_be_the_key(
        self,
        *,
        upstream: ScriptedUpstream,
        model: OpenAIChatModel,
        model_request: ModelRequest,
        caplog: pytest.LogCaptureFixture,
        name: str,
    ) -> None:
        upstream.otherwise = json_reply({}, status=400, headers={"x-request-id": name})
        await failure_of(model, model_request)
        assert "provider's request id -)" in caplog.text


class _Resolver(aiohttp.abc.AbstractResolver):
    """A resolver that runs an action of the test instead of a lookup."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._action = action

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        await self._action()  # type: ignore[misc]  # each action is a coroutine function
        raise AssertionError("nothing resolves")

    async def close(self) -> None: ...


def _two_halves() -> tuple[bytes, bytes]:
    role, first, *rest = openai_events(HELLO)
    return role + first, b"".join([*rest, DONE])


def _without_usage(answer: ScriptedAnswer) -> list[ModelEvent]:
    return expected_events(msgspec.structs.replace(answer, usage=Usage()), stream=True)
