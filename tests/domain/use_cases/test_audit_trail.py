"""The audit trail of each change to an instance, with names but never values."""

from polyant.domain.audit import Actor
from polyant.domain.instances import Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import AUTH_API_KEY, SecretName
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.delete_instance import DeleteInstance
from polyant.domain.use_cases.delete_mcp_server import DeleteMcpServer
from polyant.domain.use_cases.delete_secret import DeleteSecret
from polyant.domain.use_cases.issue_key import IssueKey
from polyant.domain.use_cases.replace_mcp_servers import ReplaceMcpServers
from polyant.domain.use_cases.set_mcp_server import McpServerChange, SetMcpServer
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.domain.use_cases.update_prompts import UpdatePrompts
from support.management import ManagementHarness

ADA = Actor("ada@example.com")
BOT = Slug("bot")
CRM = McpServer(name="crm", url="https://crm.example/mcp")


async def test_every_change_is_recorded_once_by_name(management: ManagementHarness) -> None:
    await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=ADA)
    await (await management.get(UpdateInstance))(BOT, InstancePatch(name="Bot", max_steps=3, base_url=None), by=ADA)
    await (await management.get(UpdateInstance))(BOT, InstancePatch(tools=("calculate",)), by=ADA)
    await (await management.get(UpdatePrompts))(BOT, {SectionKey.SOUL: "Be kind."}, by=ADA)
    await (await management.get(SetSecret))(BOT, "one_token", "value-of-one", by=ADA)
    await (await management.get(SetSecret)).set_many(
        BOT, {"two_token": "value-of-two", "three_token": "value-of-three"}, by=ADA
    )
    await (await management.get(DeleteSecret))(BOT, SecretName("two_token"), by=ADA)
    key = await (await management.get(IssueKey))(BOT, by=ADA)
    await (await management.get(IssueKey))(BOT, by=ADA, given="sk-of-our-own-choice", grace_seconds=60)
    await (await management.get(DeleteSecret))(BOT, AUTH_API_KEY, by=ADA)
    await (await management.get(SetMcpServer))(BOT, McpServerChange(server=CRM), by=ADA)
    await (await management.get(DeleteMcpServer))(BOT, "crm", by=ADA)
    await (await management.get(ReplaceMcpServers))(BOT, [CRM], by=ADA)
    await (await management.get(DeleteInstance))(BOT, by=ADA)
    entries = await management.audit_entries()
    assert {(actor, instance, user) for actor, _, instance, user, _ in entries} == {("ada@example.com", "bot", None)}
    assert [(action, details) for _, action, _, _, details in entries] == [
        ("instance.create", ()),
        ("instance.update", ("name", "base_url", "max_steps")),
        ("instance.update", ("tools",)),
        ("prompts.update", ("02-soul",)),
        ("secret.set", ("one_token",)),
        ("secret.set", ("two_token", "three_token")),
        ("secret.delete", ("two_token",)),
        ("key.issue", ()),
        ("key.set", ()),
        ("key.revoke", ()),
        ("mcp_servers.set", ("crm",)),
        ("mcp_servers.delete", ("crm",)),
        ("mcp_servers.set", ("crm",)),
        ("instance.delete", ()),
    ]
    for value in ("value-of", "sk-of-our", key.reveal(), "Be kind"):
        assert value not in repr(entries)
