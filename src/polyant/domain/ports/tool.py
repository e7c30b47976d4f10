"""Port: one named function that the model may call."""

from abc import abstractmethod
from typing import Any, Protocol, runtime_checkable

import msgspec

from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext


@runtime_checkable
class Tool(Protocol):
    """A function with a description that tells a model when and how to call it."""

    name: str
    """1 to 64 of a-z, 0-9 and _, starting with a letter; unlike any other enabled tool's."""
    description: str
    """What it does and gives, for the model."""
    arguments: type[msgspec.Struct]
    """What it takes; the model sees the JSON schema that msgspec derives from it."""
    secrets: tuple[SecretName, ...]
    """Names of the instance's secrets that it needs; without one of them it isn't offered."""

    @abstractmethod
    async def run(self, arguments: Any, context: ToolContext) -> str:
        """Returns the result as text for the model; `arguments` is an instance of the struct `arguments`.

        It is cancelled at the context's deadline and when the turn is abandoned, and leaves nothing running then. Runs
        of the same tool may overlap.

        Raises:
            ToolError: It failed in a way that the model should know of. Any other exception tells the model only that
                the tool failed.
        """
