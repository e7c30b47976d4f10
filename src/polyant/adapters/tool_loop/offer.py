"""Makes of a Tool what a model can be offered: its schema, and a call that takes arguments as a model writes them."""

import msgspec

from polyant.domain.ports.tool import Tool
from polyant.domain.tools import OfferedTool, ToolContext, ToolError, tool_spec

_NO_ARGUMENTS = frozenset({"", "null"})


def offer(tool: Tool) -> OfferedTool:
    """Returns the tool as it is offered."""
    decoder = msgspec.json.Decoder(tool.arguments)

    async def call(arguments: str, context: ToolContext) -> str:
        try:
            decoded = decoder.decode("{}" if arguments.strip() in _NO_ARGUMENTS else arguments)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ToolError(f"The arguments don't fit the tool's schema: {error}") from None
        return await tool.run(decoded, context)

    spec = tool_spec(tool.name, tool.description, tool.arguments)
    return OfferedTool(spec=spec, secrets=tool.secrets, call=call)
