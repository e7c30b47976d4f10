"""Responses that are made to cost much: each byte may cost only so much time, and a response only so much memory."""

import time
from collections.abc import Callable, Iterator

import msgspec
import pytest

from polyant.adapters.llm.anthropic_response_reader import AnthropicResponseReader
from polyant.adapters.llm.openai_response_reader import OpenAIResponseReader
from polyant.adapters.llm.response_reader import ProviderModel, ResponseReader
from polyant.domain.chat import MAX_TOOL_CALLS, ModelFinished, ToolCall
from support.patience import seconds

OWNER = ProviderModel("a provider", "a model")
TEXT = "x" * 400
PIECES = 40_000


def openai(*deltas: object) -> Iterator[bytes]:
    for delta in deltas:
        yield msgspec.json.encode({"choices": [{"delta": delta}]})


def piece(**fields: object) -> dict[str, object]:
    return {"tool_calls": [fields]}


def reasoning() -> Iterator[bytes]:
    return openai(*[{"reasoning_content": TEXT}] * PIECES, {"content": "Hi"})


def names() -> Iterator[bytes]:
    return openai(*[piece(index=0, function={"name": TEXT})] * PIECES)


def ends_of_arguments() -> Iterator[bytes]:
    yield from openai(piece(index=0, function={"name": "look_up", "arguments": '{"a":"' + TEXT * 5_000}))
    function = {"name": "look_up", "arguments": "}"}
    yield from openai(*(piece(index=0, id=f"call {number}", function=function) for number in range(PIECES)))


def names_of_opaque_fields() -> Iterator[bytes]:
    first = {f"first {number}": 1 for number in range(200_000)}
    others = ({"extra_content": {f"field {number}": 1}} for number in range(PIECES))
    return openai({"extra_content": first}, *others, {"content": "Hi"})


def opaque_fields_of_calls() -> Iterator[bytes]:
    first = {f"first signature {number}": 1 for number in range(200_000)}
    others = ({f"signature {number}": 1} for number in range(PIECES))
    return openai(*(piece(index=0, function={"name": "look_up", **each}) for each in (first, *others)))


def values_in_a_row() -> Iterator[bytes]:
    return openai(piece(index=0, id="call", function={"name": "look_up", "arguments": "{}" * 1_000_000}))


def signatures() -> Iterator[bytes]:
    yield msgspec.json.encode({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}})
    delta = {"type": "signature_delta", "signature": TEXT}
    event = msgspec.json.encode({"type": "content_block_delta", "index": 0, "delta": delta})
    for _ in range(PIECES):
        yield event
    yield msgspec.json.encode({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})


@pytest.mark.parametrize(
    "kind, events",
    [
        (OpenAIResponseReader, reasoning),
        (OpenAIResponseReader, names),
        (OpenAIResponseReader, ends_of_arguments),
        (OpenAIResponseReader, names_of_opaque_fields),
        (OpenAIResponseReader, opaque_fields_of_calls),
        (OpenAIResponseReader, values_in_a_row),
        (AnthropicResponseReader, signatures),
    ],
)
def test_response_takes_time_in_proportion_to_its_size(
    kind: type[ResponseReader], events: Callable[[], Iterator[bytes]]
) -> None:
    reader, given = kind(OWNER), list(events())
    began = time.process_time()
    for event in given:
        reader.read_event(event)
    reader.end()
    assert time.process_time() - began < seconds(20)  # quadratic time would take minutes


def test_reasoning_in_pieces_is_kept_whole() -> None:
    reader = OpenAIResponseReader(OWNER)
    details = {"reasoning_details": [{"type": "reasoning.text", "text": "so "}]}
    for event in openai(
        *[{"reasoning_content": "a"}] * 3, *[details] * 3, {"extra_content": {"a": {"b": "1"}}}, {"content": "Hi"}
    ):
        reader.read_event(event)
    (finished,) = reader.end()
    assert isinstance(finished, ModelFinished)
    assert OWNER.state_in(finished.provider_data) == {
        "reasoning_content": "aaa",
        "reasoning_details": [{"type": "reasoning.text", "text": "so so so "}],
        "extra_content": {"a": {"b": "1"}},
    }


def openai_calls(number: int) -> Iterator[bytes]:
    call = {"function": {"name": "look_up", "arguments": "{}"}}
    return openai(*(piece(index=index, id=f"call {index}", **call) for index in range(number)))


def anthropic_calls(number: int) -> Iterator[bytes]:
    for index in range(number):
        block = {"type": "tool_use", "id": f"call {index}", "name": "look_up", "input": {}}
        yield msgspec.json.encode({"type": "content_block_start", "index": index, "content_block": block})


@pytest.mark.parametrize(
    "kind, calls", [(OpenAIResponseReader, openai_calls), (AnthropicResponseReader, anthropic_calls)]
)
def test_only_so_many_calls_are_kept(kind: type[ResponseReader], calls: Callable[[int], Iterator[bytes]]) -> None:
    reader = kind(OWNER)
    for event in calls(20_000):
        reader.read_event(event)
    ids = [event.id for event in reader.end() if isinstance(event, ToolCall)]
    assert ids == [f"call {index}" for index in range(MAX_TOOL_CALLS)]
    assert len(reader.calls()) <= 10_000


def test_text_of_a_message_with_too_many_blocks_is_passed_on() -> None:
    reader = AnthropicResponseReader(OWNER)
    event = msgspec.json.encode(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "x"}}
    )
    assert "".join(reader.read_event(event) for _ in range(20_000)) == "x" * 20_000
