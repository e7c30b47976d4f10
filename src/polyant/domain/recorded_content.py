"""The text of model calls and tool calls for observers that record it: bounded, and without the instance's secrets.

All fields are JSON in the form of OpenTelemetry's semantic conventions for generative AI:
https://github.com/open-telemetry/semantic-conventions-genai
"""

import msgspec


class StepContent(msgspec.Struct, frozen=True, kw_only=True):
    """The text of one model call."""

    system_instructions: str
    input_messages: str
    output_messages: str

    def __repr__(self) -> str:
        """Returns a representation without the text."""
        return "StepContent(…)"


class ToolContent(msgspec.Struct, frozen=True, kw_only=True):
    """The text of one tool call."""

    arguments: str
    """The arguments as the model wrote them, which may be invalid JSON."""
    result: str
    call_id: str = ""
    """The provider's id of the call."""

    def __repr__(self) -> str:
        """Returns a representation without the text."""
        return "ToolContent(…)"
