import pytest

from polyant.adapters.tools.calculate_tool import Calculate, CalculateTool
from polyant.domain.tools import ToolError
from polyant.testing.tool import CONTEXT


async def test_result_of_the_expression_is_the_tools_result() -> None:
    assert await CalculateTool().run(Calculate("(19.99 * 3 + 5) / 2"), CONTEXT) == "6497/200 = 32.485"


async def test_model_is_told_what_is_wrong() -> None:
    with pytest.raises(ToolError, match="Division by zero"):
        await CalculateTool().run(Calculate("1 / (2 - 2)"), CONTEXT)
