from typing import Any

import pytest
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from polyant.adapters.mcp.results import text_of


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (TextContent(text="Grüß Gott\n"), "Grüß Gott\n"),
        (ImageContent(data="iVBORw0=", mime_type="image/png"), "[An image: image/png, 5 bytes]"),
        (AudioContent(data="AAAA", mime_type="audio/wav"), "[A sound: audio/wav, 3 bytes]"),
        (ResourceLink(name="a", title="Report", uri="https://a.example/r"), "[A link to https://a.example/r: Report]"),
        (ResourceLink(name="a", uri="https://a.example/r"), "[A link to https://a.example/r: a]"),
        (EmbeddedResource(resource=TextResourceContents(uri="file:///a", text="A note.")), "A note."),
        (
            EmbeddedResource(resource=BlobResourceContents(uri="file:///a", blob="AAAA", mime_type="a/b")),
            "[A file: file:///a, a/b]",
        ),
        (
            EmbeddedResource(resource=BlobResourceContents(uri="file:///a", blob="AAAA")),
            "[A file: file:///a, of unknown type]",
        ),
    ],
)
def test_each_content_type_becomes_text(block: Any, text: str) -> None:
    assert text_of(CallToolResult(content=[block])) == text


def test_parts_become_lines() -> None:
    assert text_of(CallToolResult(content=[TextContent(text="a"), TextContent(text="b")])) == "a\nb"


def test_structured_result_without_text_is_shown_as_json() -> None:
    assert text_of(CallToolResult(content=[], structured_content={"a": [1, None]})) == '{"a":[1,null]}'
    assert text_of(CallToolResult(content=[], structured_content=0)) == "0"


def test_structured_content_beside_text_is_ignored() -> None:
    result = CallToolResult(content=[TextContent(text="5")], structured_content={"result": 5})
    assert text_of(result) == "5"


def test_empty_result_is_empty() -> None:
    assert text_of(CallToolResult(content=[])) == ""
