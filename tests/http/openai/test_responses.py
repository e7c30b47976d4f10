"""Streamed responses, message by message, as the application sends them to the server."""

import asyncio
from typing import Any

import msgspec
import pytest

from polyant.domain.chat import TextDelta
from polyant.http.openai.responses import ResponseSettings
from support.app import App, serving
from support.asgi import settle
from support.chunks import (
    DONE,
    FINISH,
    ROLE,
    bodies_of,
    chunk,
    content,
    head_of,
    texts_in,
)
from support.scripted_supervisor import TOOL_FINISHED, TOOL_STARTED, TURN_FINISHED, says


async def test_stream_is_role_then_each_delta_then_stop_then_done_byte_by_byte(app: App) -> None:
    app.supervisor.plays(*says("Hel", "lo ", "wörld"))
    bodies = await bodies_of(app.start_chat(stream=True))
    head = head_of(bodies[0])
    assert bodies == [
        chunk(head, ROLE),
        chunk(head, content("Hel")),
        chunk(head, content("lo ")),
        chunk(head, content("wörld")),
        chunk(head, FINISH),
        DONE,
    ]


async def test_stream_has_exactly_the_headers_that_keep_proxies_from_buffering(app: App) -> None:
    response = await app.chat(stream=True)
    common = {"x-request-id", "x-content-type-options"}
    assert [(name, value) for name, value in response.headers if name not in common] == [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
        ("connection", "keep-alive"),
    ]


async def test_turn_is_requested_as_a_stream(app: App) -> None:
    await app.chat(stream=True)
    assert app.supervisor.turns[0].stream is True


async def test_each_delta_is_sent_immediately_and_separately(app: App) -> None:
    gates = [asyncio.Event() for _ in range(3)]
    app.supervisor.plays(TextDelta("a"), gates[0], TextDelta("b"), gates[1], TextDelta("c"), gates[2], TURN_FINISHED)
    exchange = app.start_chat(stream=True)
    assert (await exchange.next())["type"] == "http.response.start"
    head = head_of(await exchange.next_body())
    for text, gate in zip("abc", gates, strict=True):
        assert await exchange.next_body() == chunk(head, content(text))
        gate.set()
    assert await exchange.next_body() == chunk(head, FINISH)
    await exchange.whole()


async def test_slow_reader_slows_the_model_down(app: App) -> None:
    app.supervisor.plays(*says("a", "b", "c"))
    exchange = app.start_chat(stream=True)
    exchange.writable.clear()
    await app.supervisor.runs()
    await settle()
    assert app.supervisor.yielded == 0
    exchange.writable.set()
    assert texts_in(await bodies_of(exchange)) == ["a", "b", "c"]


async def test_include_usage_adds_usage_to_every_chunk_and_a_final_chunk(app: App) -> None:
    app.supervisor.plays(*says("Hi"))
    bodies = await bodies_of(app.start_chat(stream=True, stream_options={"include_usage": True}))
    head = head_of(bodies[0])
    zeros = b',"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}'
    assert b"".join(bodies) == b"".join(
        [
            chunk(head, ROLE, b',"usage":null'),
            chunk(head, content("Hi"), b',"usage":null'),
            chunk(head, FINISH, b',"usage":null'),
            chunk(head, b"", zeros),
            DONE,
        ]
    )


async def test_reported_usage_is_that_of_the_turn() -> None:
    async with serving(responses=ResponseSettings(report_usage=True)) as app:
        bodies = await bodies_of(app.start_chat(stream=True, stream_options={"include_usage": True}))
        assert msgspec.json.decode(bodies[-2][6:])["usage"] == {
            "prompt_tokens": 7,
            "completion_tokens": 5,
            "total_tokens": 12,
        }
        assert b"usage" not in (await app.chat(stream=True)).body


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_usage": None}])
async def test_usage_is_sent_only_if_requested(app: App, options: object) -> None:
    response = await app.chat(stream=True, stream_options=options)
    assert b"usage" not in response.body


async def test_tools_are_invisible_and_text_before_them_is_streamed(app: App) -> None:
    app.supervisor.plays(TextDelta("Let me see. "), TOOL_STARTED, TOOL_FINISHED, *says("It is 5."))
    bodies = await bodies_of(app.start_chat(stream=True))
    assert texts_in(bodies) == ["Let me see. ", "It is 5."]
    assert len([body for body in bodies if body]) == 5
    assert b"calculate" not in b"".join(bodies)


async def test_tools_before_any_text_are_invisible_but_open_the_stream(app: App) -> None:
    gate = asyncio.Event()
    app.supervisor.plays(TOOL_STARTED, gate, TOOL_FINISHED, *says("5"))
    exchange = app.start_chat(stream=True)
    assert (await exchange.next())["status"] == 200
    head = head_of(await exchange.next_body())
    gate.set()
    assert await exchange.next_body() == chunk(head, content("5"))
    await exchange.whole()


@pytest.mark.parametrize("steps", [[TURN_FINISHED], []])
async def test_turn_without_text_is_a_stream_without_text(app: App, steps: list[Any]) -> None:
    app.supervisor.plays(*steps)
    bodies = await bodies_of(app.start_chat(stream=True))
    head = head_of(bodies[0])
    assert b"".join(bodies) == chunk(head, ROLE) + chunk(head, FINISH) + DONE


AWKWARD = [
    "\n",
    "\r\n",
    "\n\ndata: [DONE]\n\n",
    'a"b\\c',
    "\0",
    "\x1f",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "</script>",
]
WIDTHS = ["é", "ß̃", "中", "\ufeff", "\uffff", "😀", "👩🏽‍🚀", "\U0010ffff"]


@pytest.mark.parametrize("text", AWKWARD + WIDTHS, ids=ascii)
async def test_any_text_arrives_unchanged_in_one_line(app: App, text: str) -> None:
    app.supervisor.plays(*says(f"a{text}b", text))
    bodies = await bodies_of(app.start_chat(stream=True))
    assert texts_in(bodies) == [f"a{text}b", text]
    for body in bodies[:-2]:
        assert body.startswith(b"data: {")
        assert body.decode().splitlines() == [body.decode()[:-2], ""]


@pytest.mark.parametrize("text", WIDTHS, ids=ascii)
async def test_non_ascii_text_is_sent_as_utf8_without_escapes(app: App, text: str) -> None:
    app.supervisor.plays(*says(text))
    assert text.encode() in (await app.chat(stream=True)).body


async def test_every_line_of_a_stream_is_data_or_a_comment(app: App) -> None:
    app.supervisor.plays(*says("id: 1\n", "event: x\n", "retry: 5\n\n"), TOOL_STARTED, ValueError())
    body = (await app.chat(stream=True, stream_options={"include_usage": True})).body
    assert {line.partition(b":")[0] for line in body.split(b"\n") if line} == {b"data"}
