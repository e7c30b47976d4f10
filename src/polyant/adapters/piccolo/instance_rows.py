"""How an instance becomes rows, and rows an instance."""

from collections.abc import Sequence
from typing import Any

import msgspec

from polyant.domain.instances import Instance, InstanceSummary
from polyant.domain.limits import TurnLimits

Row = dict[str, Any]

_LIMITS = TurnLimits.__struct_fields__
_PARTS = frozenset({"sections", "secrets", "tools", "limits"})
_FIELDS = tuple(field for field in Instance.__struct_fields__ if field not in _PARTS)


def row_of(instance: Instance) -> Row:
    """Returns the row of the instance's own fields, its limits among them."""
    return {field: getattr(instance, field) for field in _FIELDS} | msgspec.structs.asdict(instance.limits)


def secret_rows_of(instance: Instance) -> list[Row]:
    """Returns a row for each secret."""
    return [{"instance": instance.id} | msgspec.structs.asdict(secret) for secret in instance.secrets.values()]


def section_rows_of(instance: Instance) -> list[Row]:
    """Returns a row for each section."""
    return [
        {"instance": instance.id, "section": section, "content": content}
        for section, content in instance.sections.items()
    ]


def tool_rows_of(instance: Instance) -> list[Row]:
    """Returns a row for each tool."""
    return [
        {"instance": instance.id, "tool": tool, "position": position} for position, tool in enumerate(instance.tools)
    ]


def instance_of(row: Row, *, secrets: Sequence[Row], sections: Sequence[Row], tools: Sequence[Row]) -> Instance:
    """Returns the instance that the rows are of; the tools' are in their order."""
    parts = {
        "limits": {name: row[name] for name in _LIMITS},
        "secrets": {secret["name"]: secret for secret in secrets},
        "sections": {section["section"]: section["content"] for section in sections},
        "tools": [tool["tool"] for tool in tools],
    }
    return msgspec.convert(row | parts, Instance)


def summary_of(row: Row) -> InstanceSummary:
    """Returns what a listing shows of the row, which says also whether there is a key for callers."""
    return msgspec.convert(row | {"has_auth_key": bool(row["has_auth_key"])}, InstanceSummary)
