"""Marks the parts of a request that Anthropic caches.

See https://platform.claude.com/docs/en/build-with-claude/prompt-caching. A request has at most four marks: at the end
of the tools, at the end of the instance's own prompt, and on the last two user messages. The last but one is where the
request of the previous turn ended, so that its whole conversation is read from the cache.
"""

from collections.abc import Sequence

import msgspec

from polyant.adapters.llm.anthropic_wire import (
    Block,
    CacheControl,
    DocumentBlock,
    ImageBlock,
    Message,
    TextBlock,
    Tool,
    ToolResultBlock,
)
from polyant.domain.chat import ModelRequest
from polyant.domain.system_prompt import SEPARATOR

_MARK = CacheControl()
_MAX_MARKED_MESSAGES = 2


def marked_tools(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """Returns the tools with a mark at their end."""
    return (*tools[:-1], msgspec.structs.replace(tools[-1], cache_control=_MARK)) if tools else ()


def system_blocks(request: ModelRequest) -> tuple[TextBlock, ...]:
    """Returns the system prompt with a mark at the end of the instance's own part; the caller's part follows it."""
    callers = request.caller_section
    own = request.system.removesuffix(callers).removesuffix(SEPARATOR) if callers else request.system
    blocks = TextBlock(own, _MARK), TextBlock(callers)
    return tuple(block for block in blocks if block.text.strip())


def mark_messages(messages: list[Message]) -> None:
    """Marks the last two user messages of a conversation; a single message has nothing to reuse."""
    if len(messages) == 1:
        return
    users = [message for message in messages if message.role == "user"]
    for message in users[-_MAX_MARKED_MESSAGES:]:
        _mark_last_block(message.content)


def _mark_last_block(blocks: list[Block]) -> None:
    """Marks the last block that isn't empty; marks on empty blocks are rejected."""
    for index in reversed(range(len(blocks))):
        match blocks[index]:
            case TextBlock(text=text) | ToolResultBlock(content=text) as block if text.strip():
                blocks[index] = msgspec.structs.replace(block, cache_control=_MARK)
                return
            case ImageBlock() | DocumentBlock() as block:
                blocks[index] = msgspec.structs.replace(block, cache_control=_MARK)
                return
