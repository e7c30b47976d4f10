"""The gravest problem of each instance that needs an operator."""

from collections.abc import Mapping

import msgspec
import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.attention import AttentionKind
from polyant.domain.instances import Instance, InstanceStatus, Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.ports.tool import Tool
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.use_cases.list_attention import ListAttention
from polyant.domain.use_cases.list_channel_attention import ListChannelAttention
from support.channel_harness import ChannelHarness
from support.conversation_stores import MemoryConversationStoreRig
from support.harness import Thinking, UseCaseHarness
from support.management import LookUpTool

TOOLS: Mapping[str, Tool] = {"look_up": LookUpTool()}

OPTIONS = AdapterOptions({"vendor": Thinking, "gears": Thinking, "look_up": Thinking, "echo": None})
"""`gears` is the Supervisor."""


class CountedRepo(MemoryInstanceRepo):
    """An instance repo that counts how often an instance is read."""

    reads = 0

    async def get(self, slug: Slug) -> Instance | None:
        self.reads += 1
        return await super().get(slug)


def no_channels() -> ListChannelAttention:
    harness = ChannelHarness()
    inbox = MemoryConversationStoreRig().inbox
    return ListChannelAttention(connections=harness.connections, channels=harness.channels, inbox=inbox)


def attention(harness: UseCaseHarness, *, server_key: bool = False) -> ListAttention:
    keys = {"vendor": SecretText("sk-of-the-server")} if server_key else {}
    provider_keys = ProviderKeys(harness.cipher, operator_keys=keys, trusted_origins=frozenset())
    channels = no_channels()
    return ListAttention(
        repo=harness.repo,
        providers=harness.providers,
        tools=TOOLS,
        provider_keys=provider_keys,
        options=OPTIONS,
        channels=channels,
    )


async def found(harness: UseCaseHarness, **options: bool) -> list[tuple[str, str, str | None]]:
    return [(each.slug, each.kind, each.secret) for each in await attention(harness, **options)()]


async def test_instance_that_answers_only_callers_with_a_key_needs_nothing(harness: UseCaseHarness) -> None:
    await harness.create("bot", provider="echo", issue_key=True)
    assert await found(harness) == []


async def test_open_instance_is_reported(harness: UseCaseHarness) -> None:
    await harness.create("bot", provider="echo")
    assert await found(harness) == [("bot", AttentionKind.OPEN, None)]


async def test_missing_provider_key_is_reported_unless_the_server_has_one(harness: UseCaseHarness) -> None:
    await harness.create("bot", provider="vendor", issue_key=True)
    assert await found(harness) == [("bot", AttentionKind.NO_PROVIDER_KEY, "vendor_api_key")]
    assert await found(harness, server_key=True) == []


async def test_moved_and_unreadable_provider_keys_are_reported(harness: UseCaseHarness) -> None:
    for slug in ("bot", "moved"):
        await harness.create(slug, provider="vendor", secrets={"vendor_api_key": "sk-of-the-vendor"}, issue_key=True)
    moved = await harness.load(Slug("moved"))
    await harness.repo.save(msgspec.structs.replace(moved, base_url="https://elsewhere.example/v1"))
    assert await found(harness) == [("moved", AttentionKind.MOVED_PROVIDER_KEY, "vendor_api_key")]
    harness.cipher = AesGcmSecretCipher(master_keys=[SecretText("aa" * 32)])
    assert ("bot", AttentionKind.UNREADABLE_SECRET, "vendor_api_key") in await found(harness)


async def test_auth_without_a_key_and_missing_secrets_are_reported(harness: UseCaseHarness) -> None:
    closed = await harness.create("closed", provider="echo")
    await harness.repo.save(msgspec.structs.replace(closed, auth_enabled=True))
    tool = (await harness.create_with_key("tool", provider="echo", issue_key=True)).instance
    await harness.repo.save(msgspec.structs.replace(tool, tools=("look_up", "gone")))
    server = (await harness.create_with_key("server", provider="echo", issue_key=True)).instance
    headers = {"Authorization": SecretName("mcp_token")}
    mcp = McpServer(name="crm", url="https://crm.example/mcp", headers=headers)
    await harness.repo.save(msgspec.structs.replace(server, mcp_servers=(mcp,)))
    assert await found(harness) == [
        ("closed", AttentionKind.NO_CALLER_KEY, None),
        ("server", AttentionKind.MISSING_SECRET, "mcp_token"),
        ("tool", AttentionKind.MISSING_SECRET, "crm_token"),
    ]


@pytest.mark.parametrize(
    ("adapter", "kind"),
    [
        ("vendor", AttentionKind.INVALID_OPTIONS),
        ("gears", AttentionKind.INVALID_OPTIONS),
        ("look_up", AttentionKind.INVALID_TOOL_OPTIONS),
    ],
)
async def test_options_that_an_adapter_refuses_are_reported(
    harness: UseCaseHarness, adapter: str, kind: AttentionKind
) -> None:
    secrets = {"vendor_api_key": "sk-of-the-vendor", "crm_token": "token-0123456789"}
    bot = await harness.create("bot", provider="vendor", secrets=secrets, issue_key=True)
    options = {adapter: {"maxTokens": 0}}
    await harness.repo.save(msgspec.structs.replace(bot, tools=("look_up",), options=options))
    (problem,) = await attention(harness)()
    assert (problem.kind, problem.adapter) == (kind, adapter)
    assert "Expected `int` >= 1 - at `$.maxTokens`" in (problem.reason or "")


@pytest.mark.parametrize("options", [{"look_up": {"maxTokens": 0}, "gone": {"a": 1}}, {"vendor": {"gone": 1}}])
async def test_options_that_no_turn_reads_need_nothing(
    harness: UseCaseHarness, options: dict[str, dict[str, object]]
) -> None:
    """The tool isn't enabled, the adapter is gone, and the provider ignores the field of an earlier version."""
    secrets = {"vendor_api_key": "sk-of-the-vendor"}
    bot = await harness.create("bot", provider="vendor", secrets=secrets, issue_key=True)
    await harness.repo.save(msgspec.structs.replace(bot, options=options))
    assert await found(harness) == []


async def test_unknown_provider_is_reported(harness: UseCaseHarness) -> None:
    bot = (await harness.create_with_key("bot", provider="echo", issue_key=True)).instance
    await harness.repo.save(msgspec.structs.replace(bot, provider="gone"))
    assert await found(harness) == [("bot", AttentionKind.UNKNOWN_PROVIDER, None)]


async def test_disabled_instance_needs_nothing(harness: UseCaseHarness) -> None:
    bot = await harness.create("bot", provider="vendor")
    await harness.repo.save(msgspec.structs.replace(bot, status=InstanceStatus.DISABLED))
    assert await found(harness) == []


@pytest.mark.parametrize("deleted", [True, False])
async def test_only_changed_instances_are_examined_again(harness: UseCaseHarness, *, deleted: bool) -> None:
    repo = CountedRepo()
    provider_keys = ProviderKeys(harness.cipher, operator_keys={}, trusted_origins=frozenset())
    channels = no_channels()
    list_attention = ListAttention(
        repo=repo,
        providers=harness.providers,
        tools={},
        provider_keys=provider_keys,
        options=OPTIONS,
        channels=channels,
    )
    template = await harness.create("bot", provider="echo")
    for number in range(3):
        await repo.add(msgspec.structs.replace(template, id=f"{number:032x}", slug=f"bot-{number}", version=0))
    assert len(await list_attention()) == 3
    assert len(await list_attention()) == 3
    assert repo.reads == 3
    if deleted:
        await repo.delete(Slug("bot-1"))
    else:
        stored = await repo.get(Slug("bot-1"))
        assert stored is not None
        repo.reads -= 1
        await repo.save(msgspec.structs.replace(stored, status=InstanceStatus.DISABLED))
    assert [each.slug for each in await list_attention()] == ["bot-0", "bot-2"]
    assert repo.reads == 4
