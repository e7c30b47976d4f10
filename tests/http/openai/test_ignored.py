"""The report of request fields that have no effect."""

import logging
from typing import Any

import pytest

from support.app import App
from support.logs import fields_of

TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("fields", "reported"),
    [
        ({"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": True}, "tools"),
        ({"functions": [{"name": "f"}], "function_call": "auto"}, "functions"),
        ({"tools": "x"}, "tools"),
        ({"n": 2}, "n"),
        ({"n": [1]}, "n"),
        ({"n": 0}, "n"),
        ({"logprobs": True, "top_logprobs": 2}, "logprobs"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "ash"}}, "modalities, audio"),
        ({"modalities": "audio"}, "modalities"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"chat_id": "chat-1"}, "chat_id"),
        ({"chat_id": "c", "n": 3, "tools": [TOOL], "prediction": {"a": 1}}, "tools, n, prediction, chat_id"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_ignored_fields_are_reported_in_a_header_and_in_the_log(
    app: App, access_log: list[logging.LogRecord], fields: dict[str, Any], reported: str, *, stream: bool
) -> None:
    response = await app.chat(stream=stream, **fields)
    assert (response.status, response.header("x-polyant-ignored")) == (200, reported)
    assert fields_of(access_log[0])["ignored"] == reported.replace(" ", "")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tools": [], "functions": [], "n": 1, "logprobs": False, "modalities": ["text"]},
        {"tools": None, "functions": None, "n": None, "logprobs": None, "modalities": None, "audio": None},
        {"n": 1.0, "modalities": [], "prediction": None, "chat_id": None},
        {"tool_choice": "none", "metadata": {"a": "b"}, "store": True, "service_tier": "flex", "never_heard_of": 1},
        {"response_format": {"type": "json_object"}, "user": "u", "seed": 1},
    ],
)
async def test_nothing_is_reported_if_nothing_relevant_is_ignored(
    app: App, access_log: list[logging.LogRecord], fields: dict[str, Any]
) -> None:
    response = await app.chat(**fields)
    assert (response.status, response.header("x-polyant-ignored")) == (200, None)
    assert "ignored" not in fields_of(access_log[0])


async def test_failed_turn_reports_ignored_fields_too(app: App) -> None:
    response = await app.chat(model="no-such-bot", tools=[TOOL])
    assert (response.status, response.header("x-polyant-ignored")) == (401, "tools")
