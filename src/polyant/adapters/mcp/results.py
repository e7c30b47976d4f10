"""Converts the result of an MCP tool to text for a model."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from polyant.adapters.mcp.json_text import MAX_ITEMS, InvalidJsonError, decode, items_of

_MAX_COMPARED_BYTES = 256 * 1024
_ABSENT = msgspec.Raw(b"")
_NOTHING = (b"", b"null")
_EMPTY = (*_NOTHING, b"{}", b"[]")
_WHITE_SPACE = re.compile(r"\s+")
_MIN_QUOTED_CHARACTERS = 20
"""The length from which a text within another one is certainly a quotation."""


class _Resource(msgspec.Struct, rename="camel"):
    uri: str = "without a URI"
    text: str | None = None
    mime_type: str | None = None


class _Block(msgspec.Struct, rename="camel"):
    type: str
    text: str | None = None
    data: str | None = None
    mime_type: str | None = None
    uri: str | None = None
    name: str | None = None
    title: str | None = None
    resource: _Resource | None = None


class _Type(msgspec.Struct):
    type: Any = None


class _Result(msgspec.Struct, rename="camel"):
    content: msgspec.Raw = _ABSENT
    structured_content: msgspec.Raw = _ABSENT
    is_error: Any = None
    result_type: Any = None


_result_decoder = msgspec.json.Decoder(_Result)
_block_or_text_decoder = msgspec.json.Decoder(_Block | str)
_type_decoder = msgspec.json.Decoder(_Type)
_any_decoder = msgspec.json.Decoder()


def plain_result(result: msgspec.Raw) -> bytes:
    """Returns a result of `tools/call` as one with a single text block, which the MCP package accepts.

    Raises:
        InvalidJsonError: The result isn't one of `tools/call`.
    """
    text, is_error = text_of(result)
    content = [{"type": "text", "text": text}]
    return msgspec.json.encode({"content": content, "isError": is_error, "resultType": "complete"})


def text_of(result: msgspec.Raw) -> tuple[str, bool]:
    """Returns the texts of a result, one per line, and whether it is an error.

    Other content is described in brackets. Structured content follows, unless a text contains it.

    Raises:
        InvalidJsonError: The result isn't one of `tools/call`.
    """
    read = decode(_result_decoder, result)
    if read.result_type not in {None, "complete"}:
        return "The tool asks for more input, which is not supported here.", True
    structured = b"" if bytes(read.structured_content) in _NOTHING else bytes(read.structured_content)
    if bytes(read.content) in _NOTHING and not structured:
        raise InvalidJsonError("the result has no content")
    blocks, more = _blocks_in(read.content)
    texts = [_block_text(block) for block in blocks]
    if more:
        texts.append(f"[The result had more than {MAX_ITEMS} parts: only the first {MAX_ITEMS} are shown.]")
    text = "\n".join(texts)
    if structured and not text.strip():
        text = structured.decode("utf-8", "replace")
    elif structured not in _EMPTY and not _contains(texts, structured):
        text = f"{text}\n{structured.decode('utf-8', 'replace')}"
    return text, read.is_error is True


def _blocks_in(content: msgspec.Raw) -> tuple[list[msgspec.Raw], bool]:
    """Returns the first blocks, and whether there are more; some servers send one block, or its text, alone."""
    if bytes(content) in _NOTHING:
        return [], False
    return ([content], False) if bytes(content)[:1] in b'{"' else items_of(content)


def _block_text(item: msgspec.Raw) -> str:
    try:
        block = decode(_block_or_text_decoder, item)
    except InvalidJsonError:
        return f"[Content of type {_type_of(item)} that can't be read]"
    if isinstance(block, str):
        return block
    text = _described(block)
    return f"[Content of type {_shown(block.type)} that can't be read]" if text is None else text


def _described(block: _Block) -> str | None:
    """Returns the text of a block of a known type, or None if a part is missing."""
    resource = block.resource
    match block.type:
        case "text":
            return block.text
        case "image" | "audio" if block.data is not None:
            name = "An image" if block.type == "image" else "A sound"
            return f"[{name}: {block.mime_type or 'of unknown type'}, {_bytes_in(block.data)} bytes]"
        case "resource_link" if block.uri is not None:
            return f"[A link to {block.uri}: {block.title or block.name or 'untitled'}]"
        case "resource" if resource is not None and resource.text is not None:
            return resource.text
        case "resource" if resource is not None:
            return f"[A file: {resource.uri}, {resource.mime_type or 'of unknown type'}]"
        case _:
            return None


def _type_of(item: msgspec.Raw) -> str:
    try:
        kind = decode(_type_decoder, item).type
    except InvalidJsonError:
        return "unknown"
    return _shown(kind) if isinstance(kind, str) else "unknown"


def _shown(kind: str) -> str:
    return kind[:64] if kind.isprintable() else "unknown"


def _contains(texts: list[str], structured: bytes) -> bool:
    """Returns whether the texts are the structured content as JSON, or quote it.

    Servers often wrap a value as `{"result": value}` and send the bare value as text, a list as one text per item.
    """
    if sum(map(len, texts)) + len(structured) > _MAX_COMPARED_BYTES:
        return False
    try:
        value = decode(_any_decoder, structured)
    except InvalidJsonError:
        return False
    wrapped = value["result"] if isinstance(value, dict) and list(value) == ["result"] else value
    whole = "\n".join(texts)
    read = [*map(_value_of, texts), _value_of(whole)]
    if value in read or wrapped in (*read, *texts) or wrapped in (read[:-1], texts):
        return True
    squeezed = _WHITE_SPACE.sub("", whole)
    return any(_WHITE_SPACE.sub("", form) in squeezed for form in _forms_of(wrapped))


def _forms_of(value: Any) -> Iterator[str]:
    """Yields the forms in which a text may quote a value; none for a value that other texts may contain by chance."""
    try:
        forms = [value] if isinstance(value, str) else [msgspec.json.encode(value).decode(), json.dumps(value)]
    except RecursionError:
        return
    is_distinct = isinstance(value, dict) and bool(value)
    yield from (form for form in forms if is_distinct or len(form) >= _MIN_QUOTED_CHARACTERS)


def _value_of(text: str) -> Any:
    try:
        return decode(_any_decoder, text.encode("utf-8", "replace"))
    except InvalidJsonError:
        return text


def _bytes_in(base64: str) -> int:
    return len(base64.rstrip("=")) * 3 // 4
