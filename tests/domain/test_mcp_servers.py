from typing import Any

import msgspec
import pytest

from polyant.domain.errors import InvalidInputError
from polyant.domain.mcp_servers import MAX_MCP_SERVERS, McpServer, check_mcp_servers
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretName

CRM = McpServer(name="crm", url="https://crm.example/mcp", headers={"Authorization": SecretName("crm_token")})


def with_fields(**fields: Any) -> McpServer:
    return msgspec.structs.replace(CRM, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a"},
        {"name": "crm-2"},
        {"name": "x" * 32},
        {"url": "http://localhost:8100"},
        {"url": "https://crm.example/mcp/?tenant=7&a=b"},
        {"url": "http://[::1]:8100/mcp"},
        {"headers": {}},
        {"headers": {"X-Api_Key": SecretName("a"), "authorization": SecretName("b")}},
        {"tools": ("*",)},
        {"tools": ("find", "find.all", "a/b")},
    ],
)
def test_valid_server_is_accepted(fields: dict[str, Any]) -> None:
    check_mcp_servers([with_fields(**fields)])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "the name must be"),
        ({"name": "CRM"}, "the name must be"),
        ({"name": "my_crm"}, "the name must be"),
        ({"name": "2crm"}, "the name must be"),
        ({"name": "crm\n"}, "the name must be"),
        ({"name": "x" * 33}, "the name must be"),
        ({"url": ""}, "the URL"),
        ({"url": "crm.example/mcp"}, "the URL"),
        ({"url": "ftp://crm.example/"}, "the URL"),
        ({"url": "https://user:password@crm.example/"}, "the URL"),
        ({"url": "https://crm.example/#top"}, "the URL"),
        ({"url": "https://crm.example/a b"}, "the URL"),
        ({"url": "https://crm.example\\@evil.example/"}, "the URL"),
        ({"url": "https://crm.example:99999/"}, "the URL"),
        ({"url": f"https://crm.example/{'x' * 2048}"}, "the URL"),
        ({"tools": ("",)}, "a tool name"),
        ({"tools": ("a b",)}, "a tool name"),
        ({"tools": ("x" * 129,)}, "a tool name"),
        ({"headers": {"": SecretName("a")}}, "a header must have"),
        ({"headers": {"X Key": SecretName("a")}}, "a header must have"),
        ({"headers": {"X-Key\n": SecretName("a")}}, "a header must have"),
        ({"headers": {"Host": SecretName("a")}}, "a header must have"),
        ({"headers": {"content-length": SecretName("a")}}, "a header must have"),
        ({"headers": {"MCP-Session-Id": SecretName("a")}}, "a header must have"),
        ({"headers": {"X-Key": SecretName("Not A Name")}}, "A secret name"),
        ({"headers": {"X-Key": AUTH_API_KEY}}, "must not be sent to a server"),
        ({"headers": {"X-Key": PREVIOUS_AUTH_API_KEY}}, "must not be sent to a server"),
    ],
)
def test_invalid_server_is_refused_with_the_rule(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        check_mcp_servers([with_fields(**fields)])


def test_server_names_of_an_instance_are_distinct() -> None:
    with pytest.raises(InvalidInputError, match="unique names"):
        check_mcp_servers([CRM, with_fields(url="https://crm.example/v2")])


def test_secret_goes_to_one_origin_only() -> None:
    check_mcp_servers([CRM, with_fields(name="again", url="https://CRM.example:443/v2")])
    with pytest.raises(InvalidInputError, match="MCP server 'again': its secrets are already sent to another address"):
        check_mcp_servers([CRM, with_fields(name="again", url="https://crm.example:8443/mcp")])


def test_number_of_servers_is_limited() -> None:
    servers = [with_fields(name=f"crm-{number}") for number in range(MAX_MCP_SERVERS + 1)]
    check_mcp_servers(servers[1:])
    with pytest.raises(InvalidInputError, match="at most 16"):
        check_mcp_servers(servers)


def test_listed_tools_are_allowed() -> None:
    server = with_fields(tools=("find",))
    assert server.allows("find")
    assert not server.allows("delete")
    assert with_fields(tools=("*",)).allows("delete")
    assert not CRM.allows("find")
