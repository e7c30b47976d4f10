"""Converts the result of an MCP tool to text for a model."""

from typing import assert_never

import msgspec
from mcp.types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)


def text_of(result: CallToolResult) -> str:
    """Returns the texts of a result, one per line; other content is described in brackets."""
    if not result.content and result.structured_content is not None:
        return msgspec.json.encode(result.structured_content).decode()
    return "\n".join(map(_block_text, result.content))


def _block_text(block: ContentBlock) -> str:
    match block:
        case TextContent():
            return block.text
        case ImageContent():
            return f"[An image: {block.mime_type}, {_bytes_in(block.data)} bytes]"
        case AudioContent():
            return f"[A sound: {block.mime_type}, {_bytes_in(block.data)} bytes]"
        case ResourceLink():
            return f"[A link to {block.uri}: {block.title or block.name}]"
        case EmbeddedResource(resource=TextResourceContents() as resource):
            return resource.text
        case EmbeddedResource(resource=resource):
            return f"[A file: {resource.uri}, {resource.mime_type or 'of unknown type'}]"
        case never:
            assert_never(never)


def _bytes_in(base64: str) -> int:
    return len(base64.rstrip("=")) * 3 // 4
