import msgspec

from polyant.domain.agent_loop.continued_replies import ContinuedReplies
from polyant.domain.chat import AssistantMessage, ToolCall, UserMessage

QUESTION = UserMessage.of("?")
PARTS = [AssistantMessage("Let "), AssistantMessage("me.", (ToolCall(id="1", name="f", arguments="{}"),))]


def test_joined_reply_stands_for_its_parts() -> None:
    replies = ContinuedReplies()
    reply = replies.joined(PARTS)
    assert reply == AssistantMessage("Let me.", PARTS[1].tool_calls)
    copied = msgspec.structs.replace(reply)
    assert replies.as_received([QUESTION, copied, QUESTION]) == (QUESTION, *PARTS, QUESTION)


def test_reply_of_one_message_is_that_message() -> None:
    replies = ContinuedReplies()
    assert replies.joined(PARTS[:1]) is PARTS[0]
    assert replies.as_received([QUESTION, *PARTS]) == (QUESTION, *PARTS)
