"""Converts instances to rows, and rows to instances."""

from collections.abc import Sequence
from typing import Any

import msgspec

from polyant.domain.instances import (
    DEFAULT_HISTORY_MESSAGES,
    DEFAULT_HISTORY_TOKENS,
    Instance,
    InstanceSummary,
    TranscriptReaders,
)
from polyant.domain.limits import TurnLimits

Row = dict[str, Any]

_LIMITS = TurnLimits.__struct_fields__
_NESTED = frozenset(
    {"sections", "secrets", "tools", "limits", "mcp_servers", "skills", "options", "approved_addresses"}
)
_CONVERSATION_DEFAULTS: Row = {
    "conversations": False,
    "history_tokens": DEFAULT_HISTORY_TOKENS,
    "history_messages": DEFAULT_HISTORY_MESSAGES,
    "transcripts": TranscriptReaders.SUPERADMINS,
}
_FIELDS = tuple(field for field in Instance.__struct_fields__ if field not in _NESTED)


def row_of(instance: Instance) -> Row:
    """Returns the row of the instance's own fields, including limits and options."""
    own = {field: getattr(instance, field) for field in _FIELDS}
    options = msgspec.json.encode(instance.options).decode() if instance.options else None
    approved = msgspec.json.encode(sorted(instance.approved_addresses)).decode()
    return {**own, **msgspec.structs.asdict(instance.limits), "options": options, "approved_addresses": approved}


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


def mcp_server_rows_of(instance: Instance) -> list[Row]:
    """Returns a row for each MCP server."""
    return [
        {
            "instance": instance.id,
            "position": position,
            "name": server.name,
            "url": server.url,
            "headers": msgspec.json.encode(server.headers).decode(),
            "tools": msgspec.json.encode(server.tools).decode(),
        }
        for position, server in enumerate(instance.mcp_servers)
    ]


def skill_rows_of(instance: Instance) -> list[Row]:
    """Returns a row for each skill."""
    return [{"instance": instance.id} | msgspec.structs.asdict(skill) for skill in instance.skills]


def instance_of(
    row: Row,
    *,
    secrets: Sequence[Row],
    sections: Sequence[Row],
    tools: Sequence[Row],
    mcp_servers: Sequence[Row],
    skills: Sequence[Row],
) -> Instance:
    """Returns the instance from its rows; the rows of tools and servers must be ordered."""
    nested = {
        "limits": _limits_of(row),
        "options": _options_of(row),
        "secrets": {secret["name"]: secret for secret in secrets},
        "sections": {section["section"]: section["content"] for section in sections},
        "tools": [tool["tool"] for tool in tools],
        "mcp_servers": [_mcp_server_of(server) for server in mcp_servers],
        "skills": sorted(skills, key=lambda skill: str(skill["name"])),
        "approved_addresses": msgspec.json.decode(row["approved_addresses"] or "[]"),
    }
    instance = msgspec.convert(_conversation_settings_of(row) | nested, Instance)
    if row["approved_addresses"] is None:
        return msgspec.structs.replace(instance, approved_addresses=instance.addresses)
    return instance


def _conversation_settings_of(row: Row) -> Row:
    """Returns the row with defaults for what a version without conversations left null."""
    return row | {name: default for name, default in _CONVERSATION_DEFAULTS.items() if row[name] is None}


def _limits_of(row: Row) -> Row:
    return {name: row[name] for name in _LIMITS}


def _options_of(row: Row) -> Row:
    return msgspec.json.decode(row["options"], type=Row) if row["options"] else {}


def _mcp_server_of(row: Row) -> Row:
    return row | {"headers": msgspec.json.decode(row["headers"]), "tools": msgspec.json.decode(row["tools"])}


def summary_of(row: Row) -> InstanceSummary:
    """Returns the summary for a listing; the row's `has_auth_key` is whether there is a key for callers."""
    derived = {"has_auth_key": bool(row["has_auth_key"]), "limits": _limits_of(row), "options": _options_of(row)}
    return msgspec.convert(_conversation_settings_of(row) | derived, InstanceSummary)
