"""A provider's view of a call, and comparisons by meaning."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from polyant.domain.chat import (
    AssistantMessage,
    ModelEvent,
    ModelFinished,
    ModelMessage,
    Sampling,
    ToolCall,
    ToolResult,
    ToolSpec,
    UserMessage,
)


class ReceivedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call as the provider understood it, in Polyant's terms.

    A rig decodes it from the bytes that arrived. Ids may differ from those that were sent, if calls and results still
    belong together.
    """

    api_key: str | None
    model: str
    system: str
    messages: tuple[ModelMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    """The tools that the model may call."""
    sampling: Sampling = Sampling()
    stream: bool = False


def meaning_of_messages(messages: Sequence[ModelMessage]) -> list[Any]:
    """Returns a conversation without what providers write in their own way: ids and the form of JSON arguments."""
    calls = [call.id for message in messages if isinstance(message, AssistantMessage) for call in message.tool_calls]
    return [_meaning_of(message, calls) for message in messages]


def _meaning_of(message: ModelMessage, calls: list[str]) -> Any:
    match message:
        case UserMessage():
            return {"user": message.text}
        case AssistantMessage():
            called = [(calls.index(call.id), call.name, _json(call.arguments)) for call in message.tool_calls]
            return {"assistant": message.content, "calls": called}
        case ToolResult():
            return {"result of": calls.index(message.call_id), "content": message.content}


def meaning_of_tools(tools: Iterable[ToolSpec]) -> list[Any]:
    """Returns what a model learns about tools; keywords of a schema that restrict nothing may be missing."""
    return [(tool.name, tool.description, msgspec.json.decode(tool.parameters)) for tool in tools]


def meaning_of_events(events: Iterable[ModelEvent], *, call_ids: bool) -> list[Any]:
    """Returns a model's events with decoded arguments, and without the provider's opaque state.

    Args:
        events: The events.
        call_ids: Whether the ids of tool calls are the provider's own; otherwise, the number of the call replaces them,
            and calls without an id of their own stand out.
    """
    return list(_meanings(events, call_ids=call_ids))


def _meanings(events: Iterable[ModelEvent], *, call_ids: bool) -> Iterator[Any]:
    ids: list[str] = []
    for event in events:
        if isinstance(event, ToolCall):
            own = event.id not in {"", *ids}
            ids.append(event.id)
            yield ("call", event.id if call_ids else len(ids) * own, event.name, _json(event.arguments))
        elif isinstance(event, ModelFinished):
            yield msgspec.structs.replace(event, provider_data=None)
        else:
            yield event


def _json(arguments: str) -> Any:
    """Returns the decoded arguments; an empty text means no arguments."""
    return msgspec.json.decode(arguments or "{}")
