"""Finds the tools that a provider's error names, without passing on the provider's text."""

import re
from collections.abc import Sequence

_MAX_TOOLS = 5
"""An error that names more tools only repeats the request."""

# Google's compatible server numbers the declarations within one tool; the others number the tools.
_POSITIONS = (
    re.compile(r"\bfunction_declarations\[(\d{1,4})\]"),
    re.compile(r"\btools(?:\.|\[)(\d{1,4})(?:\]|\.|\b)"),
)


def refused_tools(error_body: bytes, tools: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of the request's tools that an error names by position or in quotes, at most five.

    Args:
        error_body: The body of the response.
        tools: The names of the tools in the request, in order.
    """
    text = error_body.decode("utf-8", "replace").replace('\\"', '"')
    for pattern in _POSITIONS:
        positions = dict.fromkeys(map(int, pattern.findall(text)))
        found = tuple(tools[position] for position in positions if position < len(tools))
        if found:
            return found if len(found) <= _MAX_TOOLS else ()
    named = tuple(name for name in tools if re.search(rf"""['"`]{re.escape(name)}['"`]""", text))
    return named if len(named) <= _MAX_TOOLS else ()
