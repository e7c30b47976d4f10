"""The response of one model call, and its message in the next request."""

import itertools
import re
from collections.abc import Sequence
from typing import assert_never

import msgspec

from polyant.domain.chat import (
    MAX_TOOL_CALLS,
    AssistantMessage,
    ModelEvent,
    ModelFinished,
    ModelMessage,
    ProviderData,
    TextDelta,
    ToolCall,
    Usage,
)

_INVALID_NAME_CHARACTER = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME_CHARACTERS = 64
_DEFAULT_NAME = "unnamed"


class Reply:
    """Collects the events of one model call."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.finish_reason = "stop"
        self._provider_data: ProviderData | None = None
        self._texts: list[str] = []
        self._calls: list[ToolCall] = []

    def add(self, event: ModelEvent) -> None:
        """Adds the next event."""
        match event:
            case TextDelta():
                self._texts.append(event.text)
            case ToolCall():
                if len(self._calls) < MAX_TOOL_CALLS:
                    self._calls.append(event)
            case ModelFinished():
                self.usage = event.usage
                self.finish_reason = event.finish_reason
                self._provider_data = event.provider_data
            case never:
                assert_never(never)

    def tool_calls(self, messages: Sequence[ModelMessage]) -> tuple[ToolCall, ...]:
        """Returns the tool calls with valid names and with ids that are unique in the conversation.

        Providers reject a conversation with a missing or duplicate id, or with an invalid name.

        Args:
            messages: The conversation so far.
        """
        if not self._calls:
            return ()
        taken = {call.id for sent in messages if isinstance(sent, AssistantMessage) for call in sent.tool_calls}
        unused = (name for number in itertools.count(1) if (name := f"call_{number}") not in taken)
        calls = []
        for call in self._calls:
            call_id = call.id if call.id and call.id not in taken else next(unused)
            taken.add(call_id)
            calls.append(msgspec.structs.replace(call, id=call_id, name=_valid_name(call)))
        return tuple(calls)

    def message(self, calls: tuple[ToolCall, ...]) -> AssistantMessage:
        """Returns the reply as a message of the conversation."""
        return AssistantMessage("".join(self._texts), calls, self._provider_data)


def _valid_name(call: ToolCall) -> str:
    return _INVALID_NAME_CHARACTER.sub("_", call.name[:_MAX_NAME_CHARACTERS]) or _DEFAULT_NAME
