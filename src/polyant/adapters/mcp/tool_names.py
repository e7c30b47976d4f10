"""The names under which a model sees the tools of an MCP server."""

import hashlib
import re
from collections.abc import Collection, Mapping

_MAX_CHARACTERS = 64  # OpenAI and Anthropic reject longer names
_VALID = re.compile(rf"\A[a-zA-Z0-9_-]{{1,{_MAX_CHARACTERS}}}\Z")
_INVALID_CHARACTER = re.compile(r"[^a-zA-Z0-9_-]")
_DIGITS = (8, 16, 24)


def names_for(server: str, tools: Collection[str]) -> Mapping[str, str]:
    """Returns the name for a model, by the server's own name for the tool.

    A tool is named `server__tool`. If providers reject that name, the tool gets an alias: the name with `_` in place of
    other characters, cut, and a hash of the original. An alias depends only on the server's and the tool's name, unless
    it is taken; then the hash has more digits.

    Args:
        server: The configured name of the server, which has no underscores.
        tools: The server's own names for all of its tools.
    """
    names = {tool: f"{server}__{tool}" for tool in tools if _VALID.match(f"{server}__{tool}")}
    taken = set(names.values())
    for tool in sorted(set(tools) - names.keys()):
        names[tool] = next(alias for digits in _DIGITS if (alias := _alias(server, tool, digits)) not in taken)
        taken.add(names[tool])
    return names


def _alias(server: str, tool: str, digits: int) -> str:
    full = f"{server}__{tool}"
    mark = hashlib.sha256(full.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
    return f"{_INVALID_CHARACTER.sub('_', full)[: _MAX_CHARACTERS - digits - 1]}_{mark}"
