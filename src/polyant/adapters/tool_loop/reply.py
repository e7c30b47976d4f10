"""What a model said in one step, and how it is told of it in the next."""

import itertools
import re
from collections.abc import Sequence
from typing import assert_never

import msgspec

from polyant.domain.chat import (
    AssistantMessage,
    ModelEvent,
    ModelFinished,
    ModelMessage,
    ProviderData,
    TextDelta,
    ToolCall,
    Usage,
)

_UNFIT_FOR_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME_CHARACTERS = 64
_NO_NAME = "unnamed"


class Reply:
    """Collects the events of one model call."""

    def __init__(self) -> None:
        self.usage = Usage()
        self._provider_data: ProviderData | None = None
        self._texts: list[str] = []
        self._calls: list[ToolCall] = []

    def take(self, event: ModelEvent) -> None:
        """Takes the next event."""
        match event:
            case TextDelta():
                self._texts.append(event.text)
            case ToolCall():
                self._calls.append(event)
            case ModelFinished():
                self.usage = event.usage
                self._provider_data = event.provider_data
            case never:
                assert_never(never)

    def calls_beside(self, messages: Sequence[ModelMessage]) -> tuple[ToolCall, ...]:
        """Returns the calls, each with an id that no other call of the conversation has.

        Vendors refuse a conversation in which an id is missing or stands twice, or a name isn't one.
        """
        if not self._calls:
            return ()
        taken = {call.id for said in messages if isinstance(said, AssistantMessage) for call in said.tool_calls}
        calls = []
        for call in self._calls:
            call_id = call.id if call.id and call.id not in taken else _free_id(taken)
            taken.add(call_id)
            calls.append(msgspec.structs.replace(call, id=call_id, name=_name_of(call)))
        return tuple(calls)

    def message(self, calls: tuple[ToolCall, ...]) -> AssistantMessage:
        """Returns the message that stands for this reply in the conversation."""
        return AssistantMessage("".join(self._texts), calls, self._provider_data)


def _free_id(taken: set[str]) -> str:
    return next(name for number in itertools.count(len(taken) + 1) if (name := f"call_{number}") not in taken)


def _name_of(call: ToolCall) -> str:
    return _UNFIT_FOR_A_NAME.sub("_", call.name)[:_MAX_NAME_CHARACTERS] or _NO_NAME
