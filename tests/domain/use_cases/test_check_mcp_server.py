"""Testing the connection to an MCP server."""

import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import InvalidInputError, NotFoundError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.tool_servers import Omission, ServerFault
from polyant.domain.secrets import SecretName
from polyant.domain.use_cases.check_mcp_server import CheckMcpServer, McpServerCheck
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.set_mcp_server import McpServerChange, SetMcpServer
from support.management import ManagementHarness

BOT = Slug("bot")
TOKEN = SecretName("crm_token")
CRM = McpServer(name="crm", url="https://crm.example/mcp", tools=("find", "gone"))
WIKI = McpServer(name="wiki", url="http://wiki.internal:8080/mcp", tools=("*",))
INSIDE = McpServer(name="inside", url="http://192.168.1.9:8080/mcp", tools=("*",))


@pytest.fixture(autouse=True)
async def bot(management: ManagementHarness) -> None:
    await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=CLI)


async def put(management: ManagementHarness, server: McpServer, *, unrestricted: bool = True) -> None:
    set_mcp_server = await management.get(SetMcpServer)
    await set_mcp_server(BOT, McpServerChange(server=server), by=CLI, unrestricted=unrestricted)


async def check(management: ManagementHarness, name: str) -> McpServerCheck:
    return await (await management.get(CheckMcpServer))(BOT, name)


async def test_all_tools_of_the_server_are_listed_with_their_state(management: ManagementHarness) -> None:
    skipped = Omission(server="crm", tool="drop", reason="its schema is nested too deeply")
    cut = Omission(server="crm", reason="the server's pages repeat")
    management.tool_servers.offer("crm", "create", "find", omissions=[skipped, cut])
    await put(management, CRM)
    result = await check(management, "crm")
    assert [(tool.name, tool.enabled, tool.offered_as, tool.skipped) for tool in result.tools] == [
        ("find", True, "crm__find", None),
        ("create", False, "crm__create", None),
        ("drop", False, None, "its schema is nested too deeply"),
    ]
    assert (result.problem, result.unknown_tools) == (None, ("gone",))
    assert result.notes == ("the server's pages repeat",)
    assert [tool.name for tool in result.enabled] == ["find"]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (ServerFault.UNREACHABLE, "No connection to wiki.internal:8080. Check that the server runs and that this"),
        (ServerFault.SLOW, "No response from wiki.internal:8080 within 5 seconds. Check that the server runs"),
        (ServerFault.REFUSED, "wiki.internal:8080 refused: it can't be reached. Check the URL and the values"),
        (ServerFault.UNUSABLE, "wiki.internal:8080 can't be used: it can't be reached. Check that the URL is that"),
        (ServerFault.NOT_INSTALLED, "No MCP server can be used: it can't be reached."),
    ],
)
async def test_failure_is_described_with_its_fix(
    management: ManagementHarness, fault: ServerFault, problem: str
) -> None:
    management.tool_servers.fail("wiki", fault)
    await put(management, WIKI)
    result = await check(management, "wiki")
    assert (result.problem or "").startswith(problem)
    assert result.tools == ()


async def test_result_does_not_tell_whether_a_name_has_an_internal_address(management: ManagementHarness) -> None:
    await put(management, WIKI, unrestricted=False)
    problems = set()
    for fault in (ServerFault.UNREACHABLE, ServerFault.NOT_PUBLIC):
        management.tool_servers.fail("wiki", fault, reason=fault)
        problems.add((await check(management, "wiki")).problem)
    (problem,) = problems
    assert problem == (
        "No connection to wiki.internal:8080. Check that the server runs and is on the public internet: only a "
        "superadmin can set other addresses."
    )
    assert all(access.public_only for access in management.tool_servers.accesses)


async def test_approved_address_is_reached(management: ManagementHarness) -> None:
    await put(management, INSIDE)
    assert (await check(management, "inside")).problem is None
    assert [access.public_only for access in management.tool_servers.accesses] == [False]


async def test_server_with_a_missing_secret_is_not_contacted(management: ManagementHarness) -> None:
    await put(management, McpServer(name="crm", url=CRM.url, headers={"Authorization": TOKEN}))
    result = await check(management, "crm")
    assert (result.problem or "").startswith("The secret crm_token of instance 'bot' for the MCP server crm is missing")
    assert management.tool_servers.accesses == []


async def test_unsaved_server_is_tested_with_its_secrets_and_not_stored(management: ManagementHarness) -> None:
    server = McpServer(name="crm", url=CRM.url, headers={"Authorization": TOKEN}, tools=("find",))
    change = McpServerChange(server=server, adds=True, secrets={TOKEN: "Bearer abcdefgh"})
    result = await (await management.get(CheckMcpServer)).unsaved(BOT, change)
    assert [tool.name for tool in result.enabled] == ["find"]
    (access,) = management.tool_servers.accesses
    assert access.headers["Authorization"].reveal() == "Bearer abcdefgh"
    stored = await (await management.get(InstanceRepo)).get(BOT)
    assert stored is not None
    assert (stored.mcp_servers, stored.secrets) == ((), {})


async def test_unsaved_internal_address_is_contacted_only_for_a_superadmin(management: ManagementHarness) -> None:
    use_case, change = await management.get(CheckMcpServer), McpServerChange(server=INSIDE)
    with pytest.raises(InvalidInputError, match="Only a superadmin can set the address"):
        await use_case.unsaved(BOT, change)
    assert management.tool_servers.accesses == []
    assert (await use_case.unsaved(BOT, change, unrestricted=True)).problem is None


async def test_unknown_server_and_unknown_instance_are_distinguished(management: ManagementHarness) -> None:
    with pytest.raises(NotFoundError, match="has no MCP server 'crm'"):
        await check(management, "crm")
    with pytest.raises(UnknownInstanceError):
        await (await management.get(CheckMcpServer))(Slug("nobody"), "crm")
