"""Encodes a model request for Anthropic's Messages API."""

from collections import deque
from itertools import groupby
from typing import Any, ClassVar

import msgspec

from polyant.adapters.llm import anthropic_wire as wire
from polyant.adapters.llm.anthropic_blocks import TEXT, TOOL_USE
from polyant.adapters.llm.anthropic_cache import mark_messages, marked_tools, system_blocks
from polyant.adapters.llm.anthropic_media import media_blocks
from polyant.adapters.llm.anthropic_models import claude_version
from polyant.adapters.llm.anthropic_output import output_config
from polyant.adapters.llm.history import EMPTY_USER_MESSAGE, arguments_object
from polyant.adapters.llm.provider_options import ProviderOptions
from polyant.adapters.llm.response_reader import ProviderModel
from polyant.domain.adapter_options import decode_options
from polyant.domain.chat import AssistantMessage, ModelMessage, ModelRequest, ToolResult, UserMessage

_PROVIDER = "anthropic"
_CACHE_CONTROL = "cache_control"
_ENCODE = msgspec.json.Encoder().encode
_MAX_DEFAULT_TOKENS = 16_384
_MAX_TEMPERATURE = 1.0
_FIRST_WITHOUT_SAMPLING = (4, 7)
_ANY_ARGUMENTS = msgspec.Raw(b'{"type":"object"}')


class AnthropicOptions(ProviderOptions, frozen=True, kw_only=True):
    """An instance's options for a server that is compatible with Anthropic's."""

    owned: ClassVar[frozenset[str]] = frozenset({"model", "messages", "system", "stream", "tools", "tool_choice"})


_NO_OPTIONS = AnthropicOptions()


def options_of(request: ModelRequest) -> AnthropicOptions:
    """Returns the instance's options for its provider.

    Raises:
        UnavailableError: The stored options are invalid.
    """
    return decode_options(request.options, _PROVIDER, AnthropicOptions) if request.options else _NO_OPTIONS


def encode_request(request: ModelRequest) -> bytes:
    """Returns the body of the request.

    Anthropic requires `max_tokens` and rejects a request with both temperature and top_p; newer models reject either
    one. It has no seed and no penalties, and rejects stop sequences that are only white space.
    """
    requested, options = request.sampling, options_of(request)
    thinking = options.body.get("thinking")
    accepts_sampling = _accepts_sampling(request.model) and not _is_on(thinking)
    temperature = requested.temperature if accepts_sampling else None
    tools, messages = _tools(request), _messages(request)
    if _CACHE_CONTROL not in options.body:  # the operator's own mark would be one too many
        mark_messages(messages)
    encoded = _ENCODE(
        wire.RequestBody(
            model=request.model,
            max_tokens=_max_tokens(requested.max_tokens or _MAX_DEFAULT_TOKENS, thinking),
            messages=messages,
            system=system_blocks(request),
            stream=request.stream,
            tools=marked_tools(tools),
            tool_choice=wire.ToolChoice("none") if tools and not request.tools else None,
            temperature=None if temperature is None else min(temperature, _MAX_TEMPERATURE),
            top_p=requested.top_p if accepts_sampling and temperature is None else None,
            stop_sequences=tuple(stop for stop in requested.stop if stop.strip()),
            output_config=output_config(request.provider_fields, request.model),
        )
    )
    return options.merged_into(encoded)


def _is_on(thinking: Any) -> bool:
    """Returns whether the operator turned thinking on; then temperature and top_p are rejected."""
    return isinstance(thinking, dict) and thinking.get("type") != "disabled"


def _max_tokens(text_tokens: int, thinking: Any) -> int:
    """Returns the limit for thinking and text together, which must be above the budget for thinking alone."""
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    return text_tokens + budget if isinstance(budget, int) and budget >= text_tokens else text_tokens


def _accepts_sampling(model: str) -> bool:
    """Returns whether a model accepts temperature and top_p; Claude 4.7 and later reject them with status 400."""
    return (claude_version(model) or (0, 0)) < _FIRST_WITHOUT_SAMPLING


def _tools(request: ModelRequest) -> tuple[wire.Tool, ...]:
    """Returns the offered tools or, if there are none, those called earlier: each call's tool must be declared."""
    if request.tools:
        return tuple(wire.Tool(tool.name, tool.description, tool.parameters) for tool in request.tools)
    names = {
        call.name: None
        for message in request.messages
        if isinstance(message, AssistantMessage)
        for call in message.tool_calls
    }
    return tuple(wire.Tool(name, "No longer available.", _ANY_ARGUMENTS) for name in names)


def _messages(request: ModelRequest) -> list[wire.Message]:
    """Returns alternating user and assistant messages that start and end with a user message.

    Anthropic treats a final assistant message as the beginning of the response, or rejects it. A message that it paused
    stays last, because that continues it.
    """
    owner = ProviderModel(_PROVIDER, request.model)
    with_blocks = [(message, blocks) for message in request.messages if (blocks := _blocks(message, owner))]
    turns = [
        wire.Message("assistant" if is_assistant else "user", [block for _, blocks in group for block in blocks])
        for is_assistant, group in groupby(with_blocks, key=lambda pair: isinstance(pair[0], AssistantMessage))
    ]
    placeholder = wire.Message("user", _text(EMPTY_USER_MESSAGE.text))
    if turns and turns[0].role == "assistant":
        turns.insert(0, placeholder)
    if not turns or (turns[-1].role == "assistant" and not _is_paused(request.messages[-1], owner)):
        turns.append(placeholder)
    return turns


def _is_paused(message: ModelMessage, owner: ProviderModel) -> bool:
    """Returns whether the last message is one of this turn: only a message without state is from the caller."""
    return isinstance(message, AssistantMessage) and bool(owner.state_in(message.provider_data))


def _blocks(message: ModelMessage, owner: ProviderModel) -> list[wire.Block]:
    match message:
        case UserMessage():
            return media_blocks(message.parts) if message.has_media else _text(message.text)
        case AssistantMessage():
            calls = [
                wire.ToolUseBlock(call.id, call.name, msgspec.Raw(arguments_object(call.arguments).encode()))
                for call in message.tool_calls
            ]
            state = owner.state_in(message.provider_data)
            return _echoed(state, calls) if state else [*_text(message.content), *calls]
        case ToolResult():
            return [wire.ToolResultBlock(message.call_id, message.content, message.is_error)]


def _echoed(state: list[dict[str, Any]], calls: list[wire.ToolUseBlock]) -> list[wire.Block]:
    """Returns the blocks as the provider sent them, with the calls under the ids that their results refer to."""
    blocks: list[wire.Block] = []
    left = deque(calls)
    for block in state:
        if block.get("type") == TOOL_USE:
            blocks += [_with_state(left.popleft(), block)] if left else []
        elif block.get("type") != TEXT or str(block.get("text") or "").strip():
            blocks.append(block)
    return [*blocks, *left]


def _with_state(call: wire.ToolUseBlock, block: dict[str, Any]) -> wire.Block:
    """Returns a tool call with the fields that only its provider knows, such as a signature."""
    kept = {name: value for name, value in block.items() if value is not None}
    return {**kept, "id": call.id, "name": call.name, "input": call.input}


def _text(content: str) -> list[wire.Block]:
    """Returns the text as a block, or no block if it is only white space, which is rejected."""
    return [wire.TextBlock(content)] if content.strip() else []
