import pytest

from polyant.adapters.tools.calculate_tool import Calculate, CalculateTool
from polyant.domain.tools import ToolError
from polyant.testing.tool import CONTEXT


async def test_tool_returns_the_value_of_the_expression() -> None:
    assert await CalculateTool().run(Calculate("(19.99 * 3 + 5) / 2"), CONTEXT) == "6497/200 = 32.485"


async def test_error_explains_the_fault() -> None:
    with pytest.raises(ToolError, match="Division by zero"):
        await CalculateTool().run(Calculate("1 / (2 - 2)"), CONTEXT)
