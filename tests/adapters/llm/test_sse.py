from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.adapters.llm.sse import SseDecoder

TRICKY = (
    b"\xef\xbb\xbfdata: first\n\n"
    b": a comment\r\n\r\n"
    b"event: named\r\nid: 7\r\nretry: 10\r\ndata: \xf0\x9f\x90\x9c ant\r\ndata:second line\r\n\r\n"
    b"data\rdata:  two spaces\r\r"
    b"data:\n\n"
    b"\n\r\n\r"
    b"database: no\ndata: a: b\n\n"
    b"data: \xef\xbb\xbf kept\n\n"
    b"data: [DONE]\n\n"
    b"data: unfinished\n"
)
EVENTS = [
    b"first",
    b"\xf0\x9f\x90\x9c ant\nsecond line",
    b"\n two spaces",
    b"",
    b"a: b",
    b"\xef\xbb\xbf kept",
    b"[DONE]",
]


def decoded(chunks: Iterable[bytes]) -> list[bytes]:
    decoder = SseDecoder()
    return [data for chunk in chunks for data in decoder.feed(chunk)]


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    return [data[start:end] for start, end in pairwise((0, *sorted(at), len(data)))]


def test_whole_stream_is_decoded_as_specified() -> None:
    assert decoded([TRICKY]) == EVENTS


def test_single_bytes_are_decoded_the_same() -> None:
    assert decoded(TRICKY[at : at + 1] for at in range(len(TRICKY))) == EVENTS


def test_single_split_changes_nothing() -> None:
    for at in range(len(TRICKY) + 1):
        assert decoded(cut(TRICKY, [at])) == EVENTS, at


def test_two_splits_change_nothing() -> None:
    for first in range(len(TRICKY) + 1):
        for second in range(first, len(TRICKY) + 1, 3):
            assert decoded(cut(TRICKY, [first, second])) == EVENTS, (first, second)


@given(st.lists(st.integers(0, len(TRICKY))))
def test_random_splits_change_nothing(at: list[int]) -> None:
    assert decoded(cut(TRICKY, at)) == EVENTS


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_event_is_complete_after_its_blank_line(end: bytes) -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: ant" + end) == []
    assert decoder.feed(end) == [b"ant"]


def test_event_ending_in_carriage_return_is_yielded_at_once() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\r\r") == [b"a"]
    assert decoder.feed(b"\ndata: b\r\n\r") == [b"b"]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")).map(str.encode), min_size=1))
def test_sent_events_are_decoded_unchanged(texts: list[bytes]) -> None:
    assert decoded([b"data: %b\n\n" % text for text in texts]) == texts
