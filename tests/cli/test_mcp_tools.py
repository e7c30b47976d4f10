"""`polyant instances show` with the tools that the MCP servers offer now."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import Polyant
from support.mcp_server import McpServerProcess, mcp_server_process


@pytest.fixture
def mcp_server() -> Iterator[McpServerProcess]:
    with mcp_server_process() as process:
        yield process


def test_offered_renamed_and_skipped_tools_are_shown(
    polyant: Polyant, home: Path, mcp_server: McpServerProcess
) -> None:
    servers = {"odd": mcp_server.at("odd"), "named": mcp_server.at("named"), "down": "http://127.0.0.1:9/mcp"}
    for name, url in servers.items():
        polyant.succeed("mcp", "set", "demo-bot", name, url, "--tools", "*")
    polyant.succeed("mcp", "set", "demo-bot", "closed", mcp_server.at("full"), "--tools", "*", "--header", "X-K=key_a")
    shown = polyant.succeed("instances", "show", "demo-bot", "--json")
    assert shown.stderr == ""
    tools = {tool["name"]: tool for tool in shown.json["mcpTools"]}
    assert tools["odd__good"] == {"name": "odd__good", "ready": True, "server": "odd"}
    assert tools["odd: spaced"]["reason"].startswith("its schema has a property whose name")
    assert tools["down"] == {
        "name": "down",
        "ready": False,
        "server": "down",
        "reason": "it can't be reached (ConnectError)",
    }
    assert "The secret key_a of instance 'demo-bot'" in tools["closed"]["reason"]
    (alias,) = (name for name, tool in tools.items() if tool.get("originalName") == "has.dot")
    text = polyant.succeed("instances", "show", "demo-bot").stdout
    assert f"{alias} (alias of has.dot)" in text
    assert "odd: vast (skipped: its schema has more than 65536 bytes)" in text


def test_servers_are_not_contacted_without_enabled_tools(polyant: Polyant, home: Path) -> None:
    polyant.succeed("mcp", "set", "demo-bot", "down", "http://127.0.0.1:9/mcp")
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["mcpTools"] == []
