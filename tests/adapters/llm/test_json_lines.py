from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.adapters.llm.json_lines import JsonLinesDecoder

ONE, TWO = b'{"a":"[1, ]"}', '{"b":"ä"}'.encode()
STREAMS = {
    "lines": b"%b\n%b\n" % (ONE, TWO),
    "no line end at the end": b"%b\n%b" % (ONE, TWO),
    "CRLF and blank lines": b"%b\r\n\r\n \n%b\r\n" % (ONE, TWO),
    "an array": b"[%b,\n%b]" % (ONE, TWO),
    "an array with its brackets in lines": b"[\n  %b\n  ,%b\n]\n" % (ONE, TWO),
}
DOCUMENTS = [b"", b"\n", ONE, ONE + b"\n \n", b"[%b]" % ONE, b'{\n"a": 1\n}\n', b'[\n{\n"a": 1\n}\n]', b'{"a":\n1}\n{}']


def decoded(chunks: Iterable[bytes]) -> tuple[list[bytes], bytes]:
    """Returns the lines of a stream, and the body of a document."""
    decoder = JsonLinesDecoder()
    lines = [line for chunk in chunks for line in decoder.feed(chunk)]
    return lines + decoder.end(), b"" if decoder.is_stream else decoder.body


@pytest.mark.parametrize("body", STREAMS.values(), ids=STREAMS)
def test_every_split_of_a_stream_gives_its_objects(body: bytes) -> None:
    for at in range(len(body)):
        assert decoded((body[:at], body[at:])) == ([ONE, TWO], b"")
    assert decoded(body[at : at + 1] for at in range(len(body))) == ([ONE, TWO], b"")


@given(st.sampled_from(DOCUMENTS), st.lists(st.integers(0, 20)))
def test_document_is_kept_whole(body: bytes, at: list[int]) -> None:
    cuts = (0, *sorted(min(cut, len(body)) for cut in at), len(body))
    assert decoded(body[start:end] for start, end in pairwise(cuts)) == ([], body)


def test_other_lines_are_kept_for_the_reader() -> None:
    assert decoded((b"%b\n[DONE]\n%b" % (ONE, TWO[:4]),)) == ([ONE, b"[DONE]", TWO[:4]], b"")


def test_objects_are_returned_when_their_lines_end() -> None:
    decoder = JsonLinesDecoder()
    assert decoder.feed(ONE + b"\n") == []
    assert decoder.feed(TWO[:1]) == [ONE]
    assert decoder.feed(TWO[1:] + b"\n" + ONE) == [TWO]
