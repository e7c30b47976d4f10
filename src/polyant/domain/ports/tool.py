"""Port: a named function that the model can call."""

from abc import abstractmethod
from typing import Any, Protocol, runtime_checkable

import msgspec

from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext


@runtime_checkable
class Tool(Protocol):
    """A function with a description from which the model learns when and how to call it."""

    name: str
    """1 to 64 characters: a-z, 0-9 and _, starting with a letter. Unique among the enabled tools."""
    description: str
    """The tool's purpose and result, described for the model."""
    arguments: type[msgspec.Struct]
    """The tool's parameters; the model sees the JSON schema that msgspec derives from this struct."""
    secrets: tuple[SecretName, ...]
    """The names of the instance secrets that the tool needs; the tool isn't offered while one is missing."""

    @abstractmethod
    async def run(self, arguments: Any, context: ToolContext) -> str:
        """Returns the result as text for the model.

        The run is cancelled at the context's deadline and when the turn is abandoned; it must leave nothing running
        then. Runs of the same tool may overlap. A run that fails or is cancelled doesn't affect later ones. No run
        blocks the event loop. The result, the message of an error and the log contain no secret.

        Args:
            arguments: An instance of the struct `arguments`.
            context: The instance, turn, secrets, options and deadline of this run; a run doesn't change it.

        Raises:
            ToolError: The run failed, and the model gets the message. For any other exception, the model only learns
                that the tool failed.
        """
