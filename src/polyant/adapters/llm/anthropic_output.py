"""Converts a caller's response format and reasoning effort to Anthropic's output configuration."""

from collections.abc import Mapping

import msgspec

from polyant.adapters.llm import anthropic_wire as wire
from polyant.adapters.llm.anthropic_models import claude_version
from polyant.adapters.llm.lenient_json import is_object
from polyant.domain.chat import ProviderFields

_FIRST_WITH_FORMAT = (4, 5)
_FIRST_WITH_EFFORT = (4, 6)
_FIRST_WITH_EXTRA_HIGH_EFFORT = (4, 7)
_EFFORTS: Mapping[str, wire.Effort] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}


class _JsonSchema(msgspec.Struct, frozen=True):
    schema: msgspec.Raw = msgspec.Raw()


class _ResponseFormat(msgspec.Struct, frozen=True):
    """OpenAI's `response_format`."""

    type: str
    json_schema: _JsonSchema | None = None


def output_config(fields: ProviderFields, model: str) -> wire.OutputConfig | None:
    """Returns the output configuration for a model, or None if the caller requests nothing that it accepts.

    Anthropic has no JSON mode without a schema. A model with an unknown name gets the schema but no effort: a missing
    schema would silently break the caller, while effort is a hint.
    """
    schema = _schema_in(fields.response_format)
    version = claude_version(model)
    accepted = None if schema is None or (version or _FIRST_WITH_FORMAT) < _FIRST_WITH_FORMAT else schema
    effort = _effort_of(fields.reasoning_effort, version or (0, 0))
    if accepted is None and effort is None:
        return None
    return wire.OutputConfig(None if accepted is None else wire.OutputFormat(accepted), effort)


def _schema_in(response_format: msgspec.Raw | None) -> msgspec.Raw | None:
    if response_format is None:
        return None
    try:
        decoded = msgspec.json.decode(response_format, type=_ResponseFormat)
    except msgspec.ValidationError:
        return None
    if decoded.type != "json_schema" or decoded.json_schema is None:
        return None
    schema = decoded.json_schema.schema
    return schema if is_object(str(schema, "utf-8")) else None


def _effort_of(requested: str | None, version: tuple[int, int]) -> wire.Effort | None:
    effort = _EFFORTS.get(requested or "")
    if effort is None or version < _FIRST_WITH_EFFORT:
        return None
    return "high" if effort == "xhigh" and version < _FIRST_WITH_EXTRA_HIGH_EFFORT else effort
