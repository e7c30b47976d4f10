from pathlib import Path

from support.commands import Polyant

URL = "https://crm.example/mcp"


def test_server_is_set_listed_replaced_and_deleted(polyant: Polyant, home: Path) -> None:
    options = (URL, "--tools", "find, create", "--header", "Authorization=crm_token", "--header", "X-T=tenant")
    stored = polyant.succeed("mcp", "set", "demo-bot", "crm", *options, "--json").json
    crm = {
        "name": "crm",
        "url": URL,
        "headers": {"Authorization": "crm_token", "X-T": "tenant"},
        "tools": ["find", "create"],
    }
    assert stored == crm
    polyant.succeed("mcp", "set", "demo-bot", "files", "http://localhost:8100/", "--tools", "*")
    assert [each["name"] for each in polyant.succeed("mcp", "list", "demo-bot", "--json").json["mcpServers"]] == [
        "crm",
        "files",
    ]
    head, first, second = polyant.succeed("mcp", "list", "demo-bot").stdout.splitlines()
    assert head.split() == ["NAME", "TOOLS", "HEADERS", "URL"]
    assert first.split() == ["crm", "find,create", "Authorization,X-T", URL]
    assert second.split() == ["files", "*", "-", "http://localhost:8100/"]
    polyant.succeed("mcp", "set", "demo-bot", "crm", URL)
    shown = polyant.succeed("instances", "show", "demo-bot", "--json").json
    assert shown["mcpServers"][0] == {"name": "crm", "url": URL, "headers": {}, "tools": []}
    assert "mcpServers   crm, files\n" in polyant.succeed("instances", "show", "demo-bot").stdout
    assert polyant.succeed("mcp", "delete", "demo-bot", "crm", "--json").json == {"deleted": True}
    assert "Deleted the MCP server files" in polyant.succeed("mcp", "delete", "demo-bot", "files").stdout
    assert polyant.succeed("mcp", "list", "demo-bot", "--json").json == {"mcpServers": []}


def test_missing_secret_of_a_header_is_reported_and_bound_to_the_server(polyant: Polyant, home: Path) -> None:
    put = ("mcp", "set", "demo-bot", "crm", URL, "--header", "Authorization=crm_token")
    done = polyant.succeed(*put)
    assert "Set the MCP server crm of demo-bot." in done.stdout
    assert "crm_token of instance 'demo-bot' for the MCP server crm is missing" in done.stderr
    assert "polyant secrets set demo-bot crm_token" in done.stderr
    stored = polyant.succeed("secrets", "set", "demo-bot", "crm_token", given="Bearer abc")
    assert "to be sent only to https://crm.example:443" in stored.stdout
    assert polyant.succeed(*put).stderr == ""
    moved = polyant.succeed(*put[:4], "https://crm.example:8443/", *put[5:])
    assert "was entered for another address" in moved.stderr
    assert "Bearer" not in moved.stdout + moved.stderr


def test_invalid_server_is_a_usage_error(polyant: Polyant, home: Path) -> None:
    for name, url, header in (
        ("my_crm", URL, "X-Key=a"),
        ("crm", "crm.example", "X-Key=a"),
        ("crm", URL, "X-Key"),
        ("crm", URL, "Host=a"),
        ("crm", URL, "X-Key=auth_api_key"),
    ):
        done = polyant("mcp", "set", "demo-bot", name, url, "--header", header)
        assert done.code == 2
        assert done.stderr.startswith("polyant: ")
    assert polyant.succeed("mcp", "list", "demo-bot", "--json").json == {"mcpServers": []}


def test_unknown_instance_and_unknown_server_are_not_found(polyant: Polyant, home: Path) -> None:
    assert polyant("mcp", "list", "nobody").code == 4
    assert polyant("mcp", "set", "nobody", "crm", URL).code == 4
    assert polyant("mcp", "delete", "demo-bot", "crm").code == 4
