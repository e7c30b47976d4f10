"""POST /v1/chat/completions as a caller sees it, without streaming."""

import asyncio
import re
import time
from typing import Any

import msgspec
import pytest

from polyant.domain.chat import AssistantMessage, Sampling, TextDelta, UserMessage
from polyant.domain.turn_context import Caller, TurnContext
from polyant.http.openai.responses import ResponseSettings
from support.app import CHAT, App, chat_body, serving
from support.asgi import Response
from support.envelopes import assert_refused
from support.scripted_supervisor import TOOL_FINISHED, TOOL_STARTED, TURN_FINISHED, Step, says

# The response


async def test_response_is_the_documented_object_byte_by_byte(app: App) -> None:
    before = int(time.time())
    response = await app.chat()
    pattern = (
        rb'\{"id":"chatcmpl-[0-9a-f]{24}","object":"chat\.completion","created":(\d+),"model":"demo-bot",'
        rb'"choices":\[\{"index":0,"message":\{"role":"assistant","content":"Hello!"\},"finish_reason":"stop"\}\],'
        rb'"usage":\{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0\}\}'
    )
    match = re.fullmatch(pattern, response.body)
    assert match, response.body
    assert before <= int(match[1]) <= int(time.time())
    assert response.status == 200
    assert response.header("content-type") == "application/json"
    assert response.header("content-length") == str(len(response.body))


async def test_response_ids_are_unique(app: App) -> None:
    assert (await app.chat()).json["id"] != (await app.chat()).json["id"]


def content_of(response: Response) -> Any:
    assert response.status == 200, response.body
    return response.json["choices"][0]["message"]["content"]


async def test_deltas_are_joined(app: App) -> None:
    app.supervisor.plays(*says("hé", "", "😀", '"</script>\u2028', "\n"))
    assert content_of(await app.chat()) == 'hé😀"</script>\u2028\n'


async def test_turn_without_text_returns_an_empty_text(app: App) -> None:
    app.supervisor.plays(TURN_FINISHED)
    assert content_of(await app.chat()) == ""


async def test_text_before_tools_is_not_part_of_a_whole_response(app: App) -> None:
    once: list[Step] = [TextDelta("Let me "), TextDelta("see."), TOOL_STARTED, TOOL_FINISHED]
    again: list[Step] = [TextDelta("Once more."), TOOL_STARTED, TOOL_STARTED, TOOL_FINISHED, TOOL_FINISHED]
    app.supervisor.plays(*once, *again, *says("It is ", "5."))
    response = await app.chat()
    assert content_of(response) == "It is 5."
    assert b"calculate" not in response.body


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([TextDelta("Let me "), TextDelta("see."), TOOL_STARTED, TOOL_FINISHED, TURN_FINISHED], "Let me see."),
        ([TextDelta("First."), TOOL_STARTED, TextDelta("Last."), TOOL_STARTED, TURN_FINISHED], "Last."),
        ([TextDelta("First."), TOOL_STARTED, TextDelta(" "), TOOL_STARTED, TURN_FINISHED], "First."),
        ([TextDelta("First."), TOOL_STARTED, TOOL_STARTED, TextDelta("\n"), TURN_FINISHED], "First."),
        ([TOOL_STARTED, TURN_FINISHED], ""),
    ],
)
async def test_blank_final_text_is_replaced_by_the_last_text_before_a_tool_call(
    app: App, steps: list[Step], expected: str
) -> None:
    app.supervisor.plays(*steps)
    assert content_of(await app.chat()) == expected


async def test_usage_is_reported_if_the_operator_enables_it() -> None:
    async with serving(responses=ResponseSettings(report_usage=True)) as app:
        usage = (await app.chat()).json["usage"]
    assert usage == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


async def test_turn_receives_all_supported_fields_of_the_request(app: App) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]},
        {"role": "assistant", "content": "12"},
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Thanks"},
    ]
    body = {"model": "demo-bot", "messages": messages, "temperature": 0.5, "stop": "END", "chat_id": "c-1"}
    assert (await app.post(msgspec.json.encode(body))).status == 200
    (turn,) = app.supervisor.turns
    assert turn.instance.slug == "demo-bot"
    last = UserMessage.of("[Message from the calling application]\n\nBe kind.\n\nThanks")
    assert turn.messages == (UserMessage.of("12"), AssistantMessage("12"), last)
    assert turn.caller_instructions == ("Be brief.",)
    assert turn.sampling == Sampling(temperature=0.5, stop=("END",))
    assert turn.stream is False


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 3},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"},
        {"functions": "x", "user": 5, "metadata": {"a": [None]}, "response_format": {"type": "json_object"}},
        {"logit_bias": {"1": 2}, "never_heard_of": {"deep": [[[[]]]]}},
        {"stream": None},
        {"stream": False},
        {"stream_options": {"include_usage": True}},
    ],
)
async def test_unsupported_fields_are_ignored(app: App, fields: dict[str, Any]) -> None:
    assert content_of(await app.chat(**fields)) == "Hello!"
    assert len((await app.chat(**fields)).json["choices"]) == 1


@pytest.mark.parametrize("target", [f"{CHAT}/", f"{CHAT}?api-version=1", f"{CHAT}/?a=b"])
async def test_trailing_slash_and_query_are_accepted(app: App, target: str) -> None:
    response = await app.request("POST", target, body=chat_body(), headers={"content-type": "application/json"})
    assert content_of(response) == "Hello!"


# The body


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON ;x=y", "application/vnd.api+json"],
)
async def test_any_json_content_type_is_accepted(app: App, content_type: str) -> None:
    assert (await app.post(chat_body(), content_type=content_type)).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/x+json",
        "application/jsonp",
        "application/json, text/plain",
        "text/plain; x=application/json",
    ],
)
async def test_body_of_another_content_type_is_rejected_before_it_is_read(app: App, content_type: str | None) -> None:
    response = await app.post(chat_body(), content_type=content_type)
    assert_refused(response, 400, "The body must be JSON: send Content-Type: application/json")
    assert app.supervisor.turns == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is empty: send a JSON object"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (chat_body(max_tokens="x"), "Expected `int | null`, got `str` - at `$.max_tokens`"),
        (chat_body(stream="true"), "Expected `bool | null`, got `str` - at `$.stream`"),
        (chat_body(metadata=0)[:-2] + b"[" * 20_000 + b"]" * 20_000 + b"}", "The body is nested too deeply"),
        (chat_body().replace(b"Hi", b"\xff"), "The body is not valid UTF-8"),
        (chat_body(text="\0"), "U+0000 is not allowed in text - at `$.messages[0].content`"),
    ],
)
async def test_invalid_body_is_rejected_with_the_error_envelope(app: App, body: bytes, message: str) -> None:
    assert_refused(await app.post(body), 400, message)
    assert app.supervisor.turns == []


async def test_chunked_body_is_reassembled(app: App) -> None:
    body = chat_body(text="Grüße")
    pieces = tuple(body[index : index + 1] for index in range(len(body)))
    response = await app.request("POST", CHAT, body=pieces, headers={"content-type": "application/json"})
    assert response.status == 200
    assert app.supervisor.turns[0].messages == (UserMessage.of("Grüße"),)


async def test_body_of_the_maximum_size_is_accepted_and_one_more_byte_is_rejected() -> None:
    body = chat_body()
    async with serving(max_body_bytes=len(body)) as app:
        assert (await app.post(body)).status == 200
        assert_refused(await app.post(body + b" "), 413, "request entity too large")


async def test_too_large_content_length_is_rejected_before_the_body_arrives() -> None:
    async with serving(max_body_bytes=1_000) as app:
        headers = {"content-type": "application/json", "content-length": "1001"}
        exchange = app.start("POST", CHAT, body=(), headers=headers)
        assert_refused(await exchange.whole(), 413, "request entity too large")


async def test_chunked_body_is_rejected_as_soon_as_it_is_too_large() -> None:
    async with serving(max_body_bytes=1_000) as app:
        headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
        exchange = app.start("POST", CHAT, body=(b" " * 600, b" " * 600), headers=headers, complete=False)
        assert_refused(await exchange.whole(), 413, "request entity too large")


async def test_body_of_four_mebibytes_is_accepted_by_default(app: App) -> None:
    empty = len(chat_body(text=""))
    assert (await app.chat(text="x" * (4 * 2**20 - empty))).status == 200
    assert (await app.chat(text="x" * (4 * 2**20 - empty + 1))).status == 413


async def test_turns_run_concurrently(app: App) -> None:
    gate = asyncio.Event()
    app.supervisor.plays(gate, *says("both"))
    first, second = app.start_chat(), app.start_chat()
    await app.supervisor.runs(2)
    gate.set()
    assert [content_of(await exchange.whole()) for exchange in (first, second)] == ["both", "both"]


async def test_turn_has_the_context_of_its_request(app: App) -> None:
    response = await app.chat(client="2001:db8:1:2:3::4", user="user-7", chat_id="chat-1")
    (turn,) = app.supervisor.turns
    assert turn.context == TurnContext(
        request_id=response.header("x-request-id") or "",
        channel="api",
        caller=Caller(user="user-7", address="2001:db8:1:2::/64"),
        chat_id="chat-1",
    )
