import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import SecretName
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.preview_prompt import PreviewPrompt
from polyant.domain.use_cases.replace_mcp_servers import ReplaceMcpServers
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.domain.use_cases.update_prompts import UpdatePrompts
from support.management import ManagementHarness

BOT = Slug("bot")
TOOLING = {SectionKey.TOOLING: "{{toolCatalog}}"}


@pytest.fixture(autouse=True)
async def bot(management: ManagementHarness) -> None:
    await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=CLI)
    await (await management.get(UpdatePrompts))(BOT, TOOLING, by=CLI)


async def preview(management: ManagementHarness) -> str:
    return await (await management.get(PreviewPrompt))(BOT)


async def test_prompt_is_complete_with_the_operator_s_time(management: ManagementHarness) -> None:
    prompt = await preview(management)
    assert prompt.startswith("# Identity\n\nYou are bot, an AI assistant.")
    today = management.date_time_formatter.describe_date(management.clock.now())
    assert prompt.endswith(f"Today is {today} (UTC).")
    assert "\n\n---\n\n(none)\n\n---\n\n" in prompt


async def test_prompt_lists_only_usable_tools(management: ManagementHarness) -> None:
    await (await management.get(UpdateInstance))(BOT, InstancePatch(tools=("calculate", "look_up")), by=CLI)
    prompt = await preview(management)
    assert "\n- calculate: " in prompt
    assert "look_up" not in prompt
    await (await management.get(SetSecret))(BOT, "crm_token", "secret", by=CLI)
    assert "\n- look_up: Looks a customer up.\n" in await preview(management)


async def test_prompt_lists_mcp_tools_whose_secrets_are_set(management: ManagementHarness) -> None:
    servers = [
        McpServer(name="open", url="https://open.example/mcp", tools=("*",)),
        McpServer(name="idle", url="https://idle.example/mcp"),
        McpServer(
            name="shut", url="https://shut.example/mcp", headers={"X-Key": SecretName("shut_token")}, tools=("*",)
        ),
    ]
    await (await management.get(ReplaceMcpServers))(BOT, servers, by=CLI)
    assert "\n- open__find: Finds.\n" in await preview(management)
    assert "shut__find" not in await preview(management)
    assert "idle__find" not in await preview(management)
    await (await management.get(SetSecret))(BOT, "shut_token", "secret", by=CLI)
    assert "\n- shut__find: Finds.\n" in await preview(management)


async def test_prompt_lists_at_most_the_tools_of_a_turn(management: ManagementHarness) -> None:
    servers = [
        McpServer(name=f"server-{number}", url=f"https://{number}.example/mcp", tools=("*",)) for number in range(16)
    ]
    management.tool_servers.per_server = 10
    await (await management.get(ReplaceMcpServers))(BOT, servers, by=CLI)
    assert (await preview(management)).count("Finds.") == 128


async def test_unknown_instance_has_no_prompt(management: ManagementHarness) -> None:
    with pytest.raises(UnknownInstanceError):
        await (await management.get(PreviewPrompt))(Slug("nobody"))
