"""Prints results as text for people or as JSON for programs."""

from collections.abc import Sequence

import msgspec

from polyant.cli.mcp_tools import McpToolState
from polyant.cli.terminal import visible_line
from polyant.domain.enabled_tools import EnabledTool
from polyant.domain.instance_states import StateSummary
from polyant.domain.instances import Instance, InstanceSummary
from polyant.domain.limits import TurnLimits
from polyant.domain.mcp_servers import McpServer
from polyant.domain.use_cases.check_mcp_server import McpServerCheck

_MAX_CLIPPED = 80


def print_json(value: object) -> None:
    """Prints a value as indented JSON."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints rows in aligned columns, each row in one line whatever its cells contain."""
    texts = [[visible_line(str(cell)) if cell is not None else "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *texts, strict=True)]
    for row in (head, *texts):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Returns a number with its noun; the plural ends in `s` unless given."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def instance_fields(instance: Instance | InstanceSummary) -> dict[str, object]:
    """Returns the fields of an instance to print; they include no secret."""
    return {
        "id": instance.id,
        "slug": instance.slug,
        "name": instance.name,
        "description": instance.description,
        "status": instance.status,
        "provider": instance.provider,
        "model": instance.model,
        "baseUrl": instance.base_url,
        "temperature": instance.temperature,
        "authEnabled": instance.auth_enabled,
        "hasAuthKey": instance.has_auth_key,
        "conversations": instance.conversations,
        "historyTokens": instance.history_tokens,
        "historyMessages": instance.history_messages,
        "transcripts": instance.transcripts,
        "imageInput": instance.image_input,
        "createdAt": instance.created_at,
        "updatedAt": instance.updated_at,
    }


def state_fields(state: StateSummary) -> dict[str, object]:
    """Returns the fields of an earlier state to print."""
    return {
        "number": state.number,
        "replacedAt": state.replaced_at,
        "replacedBy": state.replaced_by,
        "changed": state.changed,
    }


def print_instance(
    instance: Instance,
    tools: Sequence[EnabledTool],
    *,
    address: str | None,
    mcp_tools: Sequence[McpToolState] | None = None,
    as_json: bool,
) -> None:
    """Prints one instance with the state of its tools and the names of its secrets.

    Args:
        instance: The instance.
        tools: Its enabled tools.
        address: The address that its model calls go to.
        mcp_tools: The state of the tools of its MCP servers; None if the servers weren't contacted.
        as_json: Whether to print JSON.
    """
    fields = {
        **instance_fields(instance),
        "address": address,
        "tools": [{"name": tool.name, "ready": tool.ready, "state": tool.state} for tool in tools],
        "limits": _limits_fields(instance.limits),
        "mcpServers": [mcp_server_fields(server) for server in instance.mcp_servers],
        "skills": [skill.name for skill in instance.skills],
        **({} if mcp_tools is None else {"mcpTools": mcp_tools}),
        "approvedAddresses": sorted(instance.approved_addresses),
        "options": instance.options,
        "secrets": sorted(instance.secrets),
    }
    if as_json:
        print_json(fields)
        return
    fields["tools"] = [tool.name if tool.ready else f"{tool.name} ({tool.state})" for tool in tools]
    fields["mcpServers"] = [server.name for server in instance.mcp_servers]
    if mcp_tools is not None:
        fields["mcpTools"] = list(mcp_tools)
    fields["options"] = msgspec.json.encode(instance.options).decode() if instance.options else None
    for name, value in fields.items():
        print(f"{name:<12} {_shown(value) or '-'}")


def mcp_server_fields(server: McpServer) -> dict[str, object]:
    """Returns the fields of an MCP server to print; its headers contain names of secrets, not values."""
    return {"name": server.name, "url": server.url, "headers": server.headers, "tools": server.tools}


def mcp_check_fields(check: McpServerCheck) -> dict[str, object]:
    """Returns the fields of the test of an MCP server to print."""
    tools = [
        {
            "name": tool.name,
            "description": tool.description,
            "enabled": tool.enabled,
            "offeredAs": tool.offered_as,
            "skipped": tool.skipped,
        }
        for tool in check.tools
    ]
    return {
        "usable": check.problem is None,
        "problem": check.problem,
        "tools": tools,
        "unknownTools": check.unknown_tools,
        "notes": check.notes,
    }


def clipped(text: str) -> str:
    """Returns a foreign text for one line of a terminal: short, and without control characters."""
    line = "".join(character if character.isprintable() else "\ufffd" for character in " ".join(text.split()))
    return line if len(line) <= _MAX_CLIPPED else f"{line[:_MAX_CLIPPED]}…"


def _limits_fields(limits: TurnLimits) -> dict[str, object]:
    return {
        "maxSteps": limits.max_steps,
        "maxToolCalls": limits.max_tool_calls,
        "turnSeconds": limits.turn_seconds,
        "toolSeconds": limits.tool_seconds,
    }


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{key} {part:g}" for key, part in value.items() if part is not None)
        case _:
            return str(value)
