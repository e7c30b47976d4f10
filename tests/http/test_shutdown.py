"""The shutdown of the server after a signal."""

import asyncio
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from polyant.domain.chat import TextDelta
from polyant.domain.running_turns import RunningTurns
from polyant.http.shutdown import graceful_shutdown
from support.api import Api
from support.app import App, serving
from support.asgi import Response
from support.envelopes import assert_refused
from support.management import PASSWORD
from support.scripted_supervisor import says
from support.waiting import until

STOPPING = b'{"statusCode":503,"message":"Server is shutting down","error":"Service Unavailable"}'


@pytest.fixture(autouse=True)
def servers_own_handlers() -> Iterator[list[int]]:
    """Replaces the server's signal handlers, without which SIGTERM would end the tests."""
    caught: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        caught.append(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    yield caught
    for number, earlier in before.items():
        assert signal.getsignal(number) is handle, "the handlers were not restored"
        signal.signal(number, earlier)


async def stop(app: App, number: signal.Signals = signal.SIGTERM) -> None:
    """Sends the signal, and returns when the application has received it."""
    signal.raise_signal(number)
    await asyncio.sleep(0)
    assert (await app.get("/health/ready")).status == 503


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_readiness_and_reaches_the_server(
    servers_own_handlers: list[int], number: signal.Signals
) -> None:
    async with serving() as app:
        await stop(app, number)
        ready = await app.get("/health/ready")
        assert (ready.status, ready.body) == (503, STOPPING)
        assert (await app.get("/health")).status == 200
    assert servers_own_handlers == [number]


async def test_requests_that_the_server_still_receives_are_answered() -> None:
    async with serving(shutdown=3_600.0) as app:
        await app.management.add_user("eve@example.com", password=PASSWORD)
        await stop(app)
        for stream in (False, True):
            assert (await app.chat(stream=stream)).status == 200
        assert (await log_in(app)).status == 200


async def test_requests_are_refused_once_the_time_is_over() -> None:
    async with serving(shutdown=0.01) as app:
        await app.management.add_user("eve@example.com", password=PASSWORD)
        await stop(app)

        async def is_refused() -> bool:
            return (await app.chat()).status == 503

        await until(is_refused)
        for stream in (False, True):
            refused = await app.chat(stream=stream)
            assert (refused.status, refused.body) == (503, STOPPING)
            assert refused.header("retry-after") == "1"
        assert_refused(await log_in(app), 503, "Server is shutting down")


async def test_running_turns_may_finish() -> None:
    gate = asyncio.Event()
    async with serving(shutdown=3_600.0) as app:
        app.supervisor.plays(TextDelta("Hel"), gate, *says("lo"))
        whole, streamed = app.start_chat(), app.start_chat(stream=True)
        await app.supervisor.runs(2)
        await stop(app)
        gate.set()
        assert (await whole.whole()).json["choices"][0]["message"]["content"] == "Hello"
        assert (await streamed.whole()).body.endswith(b'"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')


async def test_timed_out_response_becomes_503_and_timed_out_stream_ends_with_the_error_event() -> None:
    async with serving(shutdown=0.01) as app:
        app.supervisor.plays(TextDelta("Hel"), asyncio.Event())
        whole, streamed = app.start_chat(), app.start_chat(stream=True)
        for _ in range(3):
            await streamed.next()
        await stop(app)
        refused = await whole.whole()
        assert (refused.status, refused.body) == (503, STOPPING)
        cut = (await streamed.whole()).body
        assert cut.endswith(b'data: {"error":' + STOPPING + b"}\n\ndata: [DONE]\n\n")
        assert b'"stop"' not in cut
        assert app.supervisor.running == 0


async def test_stream_that_has_not_begun_becomes_503() -> None:
    async with serving(shutdown=0.01) as app:
        app.supervisor.plays(asyncio.Event())
        exchange = app.start_chat(stream=True)
        await app.supervisor.runs()
        await stop(app)
        response = await exchange.whole()
        assert (response.status, response.body) == (503, STOPPING)


async def test_stream_whose_head_is_being_sent_ends_with_the_error_event() -> None:
    async with serving(shutdown=0.01) as app:
        app.supervisor.plays(*says("Hello"))
        exchange = app.start_chat(stream=True)
        exchange.writable.clear()
        await app.supervisor.runs()
        await stop(app)
        await app.supervisor.was_abandoned()
        exchange.writable.set()
        response = await exchange.whole()
        assert response.status == 200
        assert response.body.startswith(b'data: {"id":"chatcmpl-')
        assert response.body.endswith(b'data: {"error":' + STOPPING + b"}\n\ndata: [DONE]\n\n")


async def test_repeated_signal_ends_the_turns_at_once(
    servers_own_handlers: list[int], error_log: list[logging.LogRecord]
) -> None:
    async with serving(shutdown=3_600.0) as app:
        app.supervisor.plays(TextDelta("Hel"), asyncio.Event())
        exchange = app.start_chat()
        await app.supervisor.runs()
        await stop(app)
        await stop(app)
        response = await exchange.whole()
        assert (response.status, response.body) == (503, STOPPING)
    assert [record.getMessage() for record in error_log] == ["stopping"]
    assert servers_own_handlers == [signal.SIGTERM, signal.SIGTERM]


async def test_different_second_signal_lets_running_turns_finish() -> None:
    gate = asyncio.Event()
    async with serving(shutdown=3_600.0) as app:
        app.supervisor.plays(TextDelta("Hel"), gate, *says("lo"))
        exchange = app.start_chat()
        await app.supervisor.runs()
        await stop(app, signal.SIGINT)
        await stop(app, signal.SIGTERM)
        gate.set()
        assert (await exchange.whole()).json["choices"][0]["message"]["content"] == "Hello"


def test_no_handler_is_set_outside_the_main_thread() -> None:
    def run() -> None:
        async def open_and_close() -> None:
            before = signal.getsignal(signal.SIGTERM)
            with graceful_shutdown(RunningTurns(max_turns=1), seconds=1):
                seen.append(signal.getsignal(signal.SIGTERM) is before)

        asyncio.run(open_and_close())

    seen: list[bool] = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [True]


async def log_in(app: App) -> Response:
    login = {"email": "eve@example.com", "password": PASSWORD}
    return await Api(app, None).post("/auth/login", login)
