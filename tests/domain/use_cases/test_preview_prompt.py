import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import SecretName
from polyant.domain.use_cases.create_instance import CreateInstance
from polyant.domain.use_cases.preview_prompt import PreviewPrompt
from polyant.domain.use_cases.replace_mcp_servers import ReplaceMcpServers
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.domain.use_cases.update_prompts import UpdatePrompts
from support.management import ManagementHarness

BOT = Slug("bot")
TOOLING = {SectionKey.TOOLING: "{{toolCatalog}}"}


@pytest.fixture(autouse=True)
async def bot(office: ManagementHarness) -> None:
    await (await office.get(CreateInstance))(BOT, by=CLI, provider="echo")
    await (await office.get(UpdatePrompts))(BOT, TOOLING, by=CLI)


async def preview(office: ManagementHarness) -> str:
    return await (await office.get(PreviewPrompt))(BOT)


async def test_prompt_is_whole_with_the_time_of_the_operator_s_clock(office: ManagementHarness) -> None:
    prompt = await preview(office)
    assert prompt.startswith("# Identity\n\nYou are bot, an AI assistant.")
    now = office.date_time_formatter.describe(office.clock.now())
    assert prompt.endswith(f"It is {now} (UTC).")
    assert "\n\n---\n\n(none)\n\n---\n\n" in prompt


async def test_tools_that_could_run_are_in_it_and_others_are_not(office: ManagementHarness) -> None:
    await (await office.get(UpdateInstance))(BOT, InstancePatch(tools=("calculate", "look_up")), by=CLI)
    prompt = await preview(office)
    assert "\n- calculate: " in prompt
    assert "look_up" not in prompt
    await (await office.get(SetSecret))(BOT, "crm_token", "secret", by=CLI)
    assert "\n- look_up: Looks a customer up.\n" in await preview(office)


async def test_tools_of_mcp_servers_are_in_it_if_their_secrets_are_there(office: ManagementHarness) -> None:
    servers = [
        McpServer(name="open", url="https://open.example/mcp", tools=("*",)),
        McpServer(name="idle", url="https://idle.example/mcp"),
        McpServer(
            name="shut", url="https://shut.example/mcp", headers={"X-Key": SecretName("shut_token")}, tools=("*",)
        ),
    ]
    await (await office.get(ReplaceMcpServers))(BOT, servers, by=CLI)
    assert "\n- open__find: Finds.\n" in await preview(office)
    assert "shut__find" not in await preview(office)
    assert "idle__find" not in await preview(office)
    await (await office.get(SetSecret))(BOT, "shut_token", "secret", by=CLI)
    assert "\n- shut__find: Finds.\n" in await preview(office)


async def test_no_more_tools_are_in_it_than_a_turn_is_offered(office: ManagementHarness) -> None:
    servers = [
        McpServer(name=f"server-{number}", url=f"https://{number}.example/mcp", tools=("*",)) for number in range(16)
    ]
    office.tools_per_server = 10
    await (await office.get(ReplaceMcpServers))(BOT, servers, by=CLI)
    assert (await preview(office)).count("Finds.") == 128


async def test_unknown_instance_has_none(office: ManagementHarness) -> None:
    with pytest.raises(UnknownInstanceError):
        await (await office.get(PreviewPrompt))(Slug("nobody"))
