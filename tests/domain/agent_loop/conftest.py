import pytest

from support.tool_loop import ToolLoop


@pytest.fixture
async def loop() -> ToolLoop:
    return ToolLoop()
