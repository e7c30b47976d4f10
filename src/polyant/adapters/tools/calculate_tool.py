"""Tool that evaluates arithmetic expressions, exactly where possible."""

from typing import Annotated

import msgspec

from polyant.adapters.tools.arithmetic import describe, evaluate
from polyant.adapters.tools.expression import MAX_CHARACTERS
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext


class Calculate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of the calculator."""

    expression: Annotated[
        str,
        msgspec.Meta(
            description=(
                "Arithmetic, e.g. (19.99 * 3 + 5) / 2 or round(2**0.5, 4). Numbers without thousands separators; "
                "+ - * / // % ** and parentheses; sqrt, abs, round(x, digits), floor, ceil, min, max; pi, e."
            ),
            min_length=1,
            max_length=MAX_CHARACTERS,
        ),
    ]


class CalculateTool(Tool):
    """Evaluates an arithmetic expression; its work is limited, so that it never blocks the server."""

    name = "calculate"
    description = (
        "Evaluates an arithmetic expression exactly: integers of any practical size, decimals without rounding errors, "
        "fractions. `≈` marks a rounded result. round() rounds halves to even. Use it for every calculation that is "
        "not trivial."
    )
    arguments = Calculate
    secrets: tuple[SecretName, ...] = ()

    async def run(self, arguments: Calculate, context: ToolContext) -> str:  # noqa: ARG002 - the port's signature
        return describe(evaluate(arguments.expression))
