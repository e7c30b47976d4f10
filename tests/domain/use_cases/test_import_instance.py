import msgspec
import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import InstanceExistsError, InvalidInputError
from polyant.domain.instance_content import InstanceContent, content_of
from polyant.domain.instances import InstanceStatus, Slug
from polyant.domain.limits import TurnLimits
from polyant.domain.mcp_servers import McpServer
from polyant.domain.prompts import SectionKey, default_sections
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.import_instance import ImportInstance
from polyant.domain.use_cases.issue_key import IssueKey
from support.management import ManagementHarness

BOT = Slug("bot")
CONTENT = InstanceContent(
    name="Bot",
    description="Answers",
    status=InstanceStatus.DISABLED,
    provider="vendor",
    model="large",
    base_url="http://localhost:1/v1",
    temperature=0.5,
    auth_enabled=True,
    sections={key: f"Section {key}" for key in SectionKey},
    tools=("calculate", "gone"),
    limits=TurnLimits(max_steps=3),
    mcp_servers=(McpServer(name="crm", url="https://crm.example/mcp"),),
    options={"vendor": {"maxTokens": 5}},
)


async def test_new_instance_has_the_content_and_a_new_identity(management: ManagementHarness) -> None:
    instance = await (await management.get(ImportInstance))(BOT, CONTENT, by=CLI, unrestricted=True)
    assert instance == await management.repo.get(BOT)
    assert content_of(instance) == CONTENT
    assert (instance.version, instance.secrets, instance.created_at) == (1, {}, management.clock.now())
    assert await management.audit_entries() == [("cli", "instance.import", "bot", None, ())]


async def test_exported_instance_is_imported_unchanged(management: ManagementHarness) -> None:
    first = await (await management.get(ImportInstance))(BOT, CONTENT, by=CLI, unrestricted=True)
    second = await (await management.get(ImportInstance))(Slug("copy"), content_of(first), by=CLI, unrestricted=True)
    assert content_of(second) == content_of(first)
    assert second.id != first.id


async def test_missing_sections_get_their_defaults(management: ManagementHarness) -> None:
    content = InstanceContent(name="Bot", provider="echo", model="parrot", sections={SectionKey.SOUL: "Be kind."})
    instance = await (await management.get(ImportInstance))(BOT, content, by=CLI, unrestricted=True)
    assert instance.sections == default_sections("Bot") | {SectionKey.SOUL: "Be kind."}


async def test_taken_slug_is_overwritten_only_if_asked_to(management: ManagementHarness) -> None:
    before = (await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=CLI)).instance
    with pytest.raises(InstanceExistsError):
        await (await management.get(ImportInstance))(BOT, CONTENT, by=CLI, unrestricted=True)
    assert await management.repo.get(BOT) == before


async def test_overwritten_instance_keeps_its_identity_and_its_secrets(management: ManagementHarness) -> None:
    before = (await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=CLI)).instance
    await (await management.get(IssueKey))(BOT, by=CLI)
    after = await (await management.get(ImportInstance))(BOT, CONTENT, by=CLI, unrestricted=True, overwrite=True)
    assert content_of(after) == CONTENT
    assert (after.id, after.created_at, after.has_auth_key) == (before.id, before.created_at, True)
    assert (await management.audit_entries())[-1] == ("cli", "instance.import", "bot", None, ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": " "}, "name must have"),
        ({"provider": "nobody"}, "Unknown provider"),
        ({"temperature": 3.0}, "temperature must be"),
        ({"sections": {SectionKey.SOUL: "\0"}}, "Section 02-soul"),
        ({"tools": ("No Tool",)}, "A tool name"),
        ({"limits": TurnLimits(max_steps=0)}, "max_steps"),
        ({"mcp_servers": (McpServer(name="Crm", url="https://x.example"),)}, "MCP server 'Crm'"),
        ({"base_url": "ftp://x"}, "A base URL"),
        ({"options": {"nobody": {}}}, "Unknown adapter 'nobody'"),
        ({"options": {"vendor": {"maxTokens": 0}}}, "maxTokens"),
    ],
)
async def test_invalid_content_is_not_stored(
    management: ManagementHarness, change: dict[str, object], message: str
) -> None:
    content = msgspec.structs.replace(CONTENT, **change)
    with pytest.raises(InvalidInputError, match=message):
        await (await management.get(ImportInstance))(BOT, content, by=CLI, unrestricted=True)
    before = (await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=CLI)).instance
    with pytest.raises(InvalidInputError, match=message):
        await (await management.get(ImportInstance))(BOT, content, by=CLI, unrestricted=True, overwrite=True)
    assert await management.repo.get(BOT) == before
