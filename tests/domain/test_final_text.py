import pytest

from polyant.domain.chat import SupervisorEvent, TextDelta, ToolStarted
from polyant.domain.final_text import FinalText

TOOL = ToolStarted(call_id="a", name="f")


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([TextDelta("a"), TextDelta("b")], "ab"),
        ([TextDelta("a"), TOOL, TextDelta("b")], "b"),
        ([TextDelta("a"), TOOL, TOOL], "a"),
        ([TextDelta("a"), TOOL, TextDelta(" ")], "a"),
        ([TextDelta("a"), TOOL, TextDelta("b"), TOOL], "b"),
        ([TextDelta("a"), TOOL, TOOL, TextDelta("\n"), TOOL], "a"),
        ([TOOL, TextDelta(" ")], " "),
        ([TOOL], ""),
        ([], ""),
    ],
)
def test_text_after_the_last_tool_call_is_final_or_else_the_last_text_beside_one(
    events: list[SupervisorEvent], text: str
) -> None:
    final = FinalText()
    for event in events:
        final.add(event)
    assert final.text == text
