"""The tools that the MCP servers offer now, in `polyant instances show` and `polyant mcp test`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from polyant.testing.mcp_server import McpServerProcess, mcp_server_process
from support.commands import Polyant


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


def test_connection_is_tested(polyant: Polyant, home: Path, mcp_server: McpServerProcess) -> None:
    servers = {"odd": mcp_server.at("odd"), "down": "http://127.0.0.1:9/mcp"}
    for name, url in servers.items():
        polyant.succeed("mcp", "set", "demo-bot", name, url, "--tools", "good,gone")
    done = polyant.succeed("mcp", "test", "demo-bot", "odd")
    assert "The MCP server odd has" in done.stdout
    (good,) = (line.split() for line in done.stdout.splitlines() if line.startswith("good "))
    assert good[:3] == ["good", "enabled", "odd__good"]
    assert "skipped: its schema has more than 65536 bytes" in done.stdout
    assert done.stderr == "polyant: The server has no tool gone, which is enabled\n"
    as_json = polyant.succeed("mcp", "test", "demo-bot", "odd", "--json").json
    assert (as_json["usable"], as_json["unknownTools"]) == (True, ["gone"])
    failed = polyant("mcp", "test", "demo-bot", "down")
    assert (failed.code, failed.stdout) == (1, "")
    assert failed.stderr == (
        "polyant: No connection to 127.0.0.1:9. Check that the server runs and that this machine may reach it.\n"
    )
    refused = polyant("mcp", "test", "demo-bot", "down", "--json")
    assert (refused.code, refused.json["usable"]) == (1, False)
    assert polyant("mcp", "test", "demo-bot", "nobody").code == 4
