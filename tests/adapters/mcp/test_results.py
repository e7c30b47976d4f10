from typing import Any

import msgspec
import pytest

from polyant.adapters.mcp.results import text_of


def shown(**result: Any) -> str:
    return text_of(msgspec.Raw(msgspec.json.encode(result)))[0]


def text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (text("Grüß Gott\n"), "Grüß Gott\n"),
        ({"type": "image", "data": "iVBORw0=", "mimeType": "image/png"}, "[An image: image/png, 5 bytes]"),
        ({"type": "image", "data": "AAAA"}, "[An image: of unknown type, 3 bytes]"),
        ({"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}, "[A sound: audio/wav, 3 bytes]"),
        (
            {"type": "resource_link", "name": "a", "title": "Report", "uri": "https://a.example/r"},
            "[A link to https://a.example/r: Report]",
        ),
        ({"type": "resource_link", "name": "a", "uri": "https://a.example/r"}, "[A link to https://a.example/r: a]"),
        ({"type": "resource", "resource": {"uri": "file:///a", "text": "A note."}}, "A note."),
        (
            {"type": "resource", "resource": {"uri": "file:///a", "blob": "AAAA", "mimeType": "a/b"}},
            "[A file: file:///a, a/b]",
        ),
        (
            {"type": "resource", "resource": {"uri": "file:///a", "blob": "AAAA"}},
            "[A file: file:///a, of unknown type]",
        ),
        ({"type": "hologram"}, "[Content of type hologram that can't be read]"),
        ({"type": "text"}, "[Content of type text that can't be read]"),
        ({"type": "text", "text": 5}, "[Content of type text that can't be read]"),
        ({"type": "image"}, "[Content of type image that can't be read]"),
        ({"type": 5}, "[Content of type unknown that can't be read]"),
        ("text", "text"),
        (None, "[Content of type unknown that can't be read]"),
    ],
)
def test_each_content_type_becomes_text(block: Any, expected: str) -> None:
    assert shown(content=[block]) == expected


def test_parts_become_lines() -> None:
    assert shown(content=[text("a"), text("b")]) == "a\nb"


def test_structured_content_without_text_is_shown_as_json() -> None:
    assert shown(content=[], structuredContent={"a": [1, None]}) == '{"a":[1,null]}'
    assert shown(content=[], structuredContent=0) == "0"
    assert shown(content=[], structuredContent={"result": []}) == '{"result":[]}'


@pytest.mark.parametrize(
    ("texts", "structured"),
    [
        (["5"], {"result": 5}),
        (['{"a": 1}'], {"a": 1}),
        (['{"a": 1}'], {"result": {"a": 1}}),
        (["plain"], {"result": "plain"}),
        (["a", "b"], {"result": ["a", "b"]}),
        (['{"a":1}', '{"a":2}'], {"result": [{"a": 1}, {"a": 2}]}),
        (["Here it is:", '{"a":1}'], {"a": 1}),
        (['```json\n{\n  "a": 1\n}\n```'], {"a": 1}),
        (['It is {"a": "\\u00e4 b"}.'], {"result": {"a": "ä b"}}),
        (['Found [{"id": 1}, {"id": 2}].'], {"result": [{"id": 1}, {"id": 2}]}),
        (["It says: a long text with words."], {"result": "a long text with words"}),
        (["Done."], {}),
        (["Done."], []),
    ],
)
def test_structured_content_that_a_text_contains_is_not_repeated(texts: list[str], structured: Any) -> None:
    assert shown(content=[*map(text, texts)], structuredContent=structured) == "\n".join(texts)


@pytest.mark.parametrize(("said", "structured"), [("banana", {"result": "a"}), ("see [1]", {"result": [1]}), ("15", 5)])
def test_structured_content_that_a_text_contains_by_chance_follows(said: str, structured: Any) -> None:
    assert shown(content=[text(said)], structuredContent=structured).startswith(f"{said}\n")


@pytest.mark.parametrize(("content", "expected"), [("a", "a"), (text("a"), "a"), (["a", text("b")], "a\nb")])
def test_content_may_be_one_text_or_block(content: Any, expected: str) -> None:
    assert shown(content=content) == expected


@pytest.mark.parametrize("block", [text("Done: 1"), {"type": "image", "data": "AAAA"}])
def test_structured_content_that_no_text_contains_follows(block: Any) -> None:
    without = shown(content=[block])
    assert shown(content=[block], structuredContent={"a": 1}) == f'{without}\n{{"a":1}}'


def test_parts_beyond_the_limit_are_left_out_with_a_note() -> None:
    lines = shown(content=[text("x")] * 1_500).splitlines()
    assert lines == ["x"] * 1_000 + ["[The result had more than 1000 parts: only the first 1000 are shown.]"]


def test_empty_result_is_empty() -> None:
    assert shown(content=[]) == ""


@pytest.mark.parametrize(("value", "expected"), [(True, True), (False, False), (None, False), ("yes", False)])
def test_only_true_is_an_error(*, value: object, expected: bool) -> None:
    assert text_of(msgspec.Raw(msgspec.json.encode({"content": [], "isError": value})))[1] is expected
