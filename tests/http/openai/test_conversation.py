"""The conversation that a model sees: system messages, empty messages and parts."""

import time
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.chat import AssistantMessage, TextPart, UserMessage
from polyant.http.openai.conversation import APPLICATION_HEADING, Conversation, conversation_of
from polyant.http.openai.wire import MessageIn
from support.patience import seconds

Said = tuple[str, Any]

LATE = f"{APPLICATION_HEADING}\n\n"


def conversation(*messages: Said) -> Conversation:
    """Returns the conversation for messages given as role and content."""
    return conversation_of([msgspec.convert({"role": role, "content": text}, MessageIn) for role, text in messages])


def sent(*messages: Said) -> list[Said]:
    """Returns the messages that a model receives, as role and text."""
    return [
        ("user", message.text) if isinstance(message, UserMessage) else ("assistant", message.content)
        for message in conversation(*messages).messages
    ]


def test_system_messages_at_the_beginning_are_the_callers_instructions() -> None:
    found = conversation(("system", "a"), ("developer", "b"), ("user", "c"))
    assert (found.instructions, found.messages) == (("a", "b"), (UserMessage.of("c"),))


def test_heading_is_the_documented_one() -> None:
    assert APPLICATION_HEADING == "[Message from the calling application]"


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize("first", ["user", "assistant"])
def test_later_system_message_keeps_its_place_as_a_user_message(first: str, role: str) -> None:
    found = conversation((first, "a"), ("assistant", "b"), (role, "c"), ("assistant", "d"))
    assert found.instructions == ()
    assert found.messages[2:] == (UserMessage.of(f"{LATE}c"), AssistantMessage("d"))


@pytest.mark.parametrize(
    ("given_messages", "expected"),
    [
        # made neighbours by a converted system message
        ([("user", "a"), ("system", "b")], [("user", f"a\n\n{LATE}b")]),
        ([("assistant", "a"), ("system", "b"), ("user", "c")], [("assistant", "a"), ("user", f"{LATE}b\n\nc")]),
        ([("user", "a"), ("system", "b"), ("user", "c")], [("user", f"a\n\n{LATE}b\n\nc")]),
        ([("user", "a"), ("system", "b"), ("system", "c")], [("user", f"a\n\n{LATE}b\n\n{LATE}c")]),
        ([("user", "a"), ("system", " "), ("user", "c")], [("user", "a\n\nc")]),
        # made neighbours by an assistant message that is left out
        ([("user", "a"), ("assistant", ""), ("user", "b")], [("user", "a\n\nb")]),
        ([("user", "a"), ("assistant", None), ("user", "b")], [("user", "a\n\nb")]),
        ([("user", "a"), ("assistant", "\n"), ("user", "b")], [("user", "a\n\nb")]),
        ([("user", "a"), ("assistant", []), ("user", "b")], [("user", "a\n\nb")]),
        ([("user", "a"), ("assistant", ""), ("system", "b"), ("user", "c")], [("user", f"a\n\n{LATE}b\n\nc")]),
        ([("user", "a"), ("assistant", ""), ("user", " ")], [("user", "a")]),
        ([("assistant", ""), ("user", "a")], [("user", "a")]),
        ([("assistant", ""), ("system", "a")], [("user", f"{LATE}a")]),
        ([("user", "a"), ("assistant", "")], [("user", "a")]),
        ([("assistant", "")], []),
        # sent as neighbours
        ([("user", "a"), ("user", "b")], [("user", "a"), ("user", "b")]),
        ([("user", "a"), ("user", "b"), ("system", "c")], [("user", "a"), ("user", f"b\n\n{LATE}c")]),
        (
            [("user", "a"), ("system", "b"), ("user", "c"), ("user", "d")],
            [("user", f"a\n\n{LATE}b\n\nc"), ("user", "d")],
        ),
        ([("assistant", "a"), ("assistant", "b")], [("assistant", "a"), ("assistant", "b")]),
        ([("assistant", "a"), ("assistant", ""), ("assistant", "b")], [("assistant", "a"), ("assistant", "b")]),
        ([("user", ""), ("assistant", "a")], [("user", ""), ("assistant", "a")]),
    ],
)
def test_only_user_messages_that_became_neighbours_are_joined(given_messages: list[Said], expected: list[Said]) -> None:
    assert sent(*given_messages) == expected


def test_conversation_may_consist_of_system_messages() -> None:
    assert conversation(("system", "a"), ("system", "b")) == Conversation(("a", "b"), ())


def test_text_parts_are_joined_without_a_separator() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": ""}, {"type": "text", "text": "lo", "x": 1}]
    assert sent(("user", parts)) == [("user", "Hello")]
    assert sent(("user", [{"type": "text", "text": "x", "refusal": None, "image_url": None}])) == [("user", "x")]


def test_refusal_of_an_assistant_message_is_its_text() -> None:
    parts = [{"type": "text", "text": "Well: "}, {"type": "refusal", "refusal": "no."}]
    assert sent(("assistant", parts)) == [("assistant", "Well: no.")]
    refusal = msgspec.convert({"role": "assistant", "content": None, "refusal": "I can't."}, MessageIn)
    assert conversation_of([refusal]).messages == (AssistantMessage("I can't."),)


@given(
    st.lists(st.tuples(st.sampled_from(["system", "developer", "user", "assistant"]), st.sampled_from(["", " ", "x"])))
)
def test_neighbouring_user_messages_are_those_of_the_caller(messages: list[Said]) -> None:
    """No two user messages follow each other unless the caller sent them that way."""
    roles = [role for role, _ in sent(*messages)]
    pair = ("user", "user")
    assert list(pairwise(roles)).count(pair) <= list(pairwise(role for role, _ in messages)).count(pair)


IMAGE = [{"type": "image_url", "image_url": {"url": "https://images.example/a.png"}}]


def test_text_before_and_after_an_image_is_joined_around_it() -> None:
    neighbours: list[Said] = [("user", "a"), ("system", ""), ("user", "b"), ("system", ""), ("user", IMAGE)]
    (message,) = conversation(*neighbours, ("system", "c"), ("user", "d")).messages
    assert isinstance(message, UserMessage)
    texts = ["a\n\nb", "\n\n", f"{LATE}c", "\n\n", "d"]
    assert [part.text for part in message.parts if isinstance(part, TextPart)] == texts
    assert message.has_media


@pytest.mark.parametrize("first", ["a", IMAGE])
def test_joining_many_messages_takes_time_in_proportion_to_their_number(first: Any) -> None:
    """Any client can send them: the conversation is read before the key is checked."""
    user, empty = (
        msgspec.convert({"role": role, "content": text}, MessageIn)
        for role, text in (("user", "x" * 80), ("system", ""))
    )
    begin = msgspec.convert({"role": "user", "content": first}, MessageIn)
    began = time.process_time()
    found = conversation_of([begin, *[empty, user] * 100_000])
    assert time.process_time() - began < seconds(20)  # quadratic time would take minutes
    assert len(found.messages) == 1
