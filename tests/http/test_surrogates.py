"""Lone surrogate escapes are named with their place."""

import json
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.http.surrogates import lone_surrogate_fault
from support.app import App, chat_body
from support.envelopes import assert_refused


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (
            rb'{"messages":[{"content":"a"},{"content":"x\ud83dy"}]}',
            r"\ud83d is half of a character - at `$.messages[1].content`",
        ),
        (rb'"\udE00"', r"\ude00 is half of a character - at `$`"),
        (rb'{"a b":["\ud800"]}', "at `$[...][0]`"),
        (rb'{"a":{"\ud800":1}}', "at `$.a`"),
        (rb'["\ud83d\ude00","\ud83d \ude00"]', "at `$[1]`"),
    ],
)
def test_first_lone_surrogate_is_named_with_its_place(body: bytes, place: str) -> None:
    assert place in (lone_surrogate_fault(body) or "")


@pytest.mark.parametrize(
    "body",
    [rb'"\ud83d\ude00"', rb'"\\ud83d"', b'"plain"', rb'{"a":"\ud800"', rb'["\ud800",', b"[" * 200_000 + rb'"\ud800"'],
)
def test_other_bodies_have_no_such_fault(body: bytes) -> None:
    assert lone_surrogate_fault(body) is None


@given(
    st.recursive(st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
)
def test_valid_text_never_has_the_fault(value: Any) -> None:
    assert lone_surrogate_fault(json.dumps(value).encode()) is None


async def test_chat_and_management_refuse_a_lone_surrogate(app: App) -> None:
    message = r"A lone surrogate is not allowed in text: \ud83d is half of a character - at `$.messages[0].content`"
    assert_refused(await app.post(chat_body(text="??").replace(b"??", rb"a\ud83d")), 400, message)
    for place, body in (("$.user", rb'"user":"\ud83d"'), ("$.tools[0]", rb'"tools":["\ud83d"]')):
        response = await app.post(chat_body()[:-1] + b"," + body + b"}")
        assert_refused(response, 400, message.replace("$.messages[0].content", place))


def test_search_calls_nothing_for_each_value() -> None:
    """Any client can send a body with millions of values."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    body = b"[" + b"0," * 100_000 + rb'"\ud800"]'
    sys.setprofile(count)
    try:
        found = lone_surrogate_fault(body)
    finally:
        sys.setprofile(None)
    assert "at `$[100000]`" in (found or "")
    assert calls < 100
