import re
from typing import Any

import pytest
from msgspec.structs import replace

from polyant.domain.audit import CLI, AuditQuery
from polyant.domain.channel_content import ChannelContent, disconnected
from polyant.domain.channel_info import (
    AccountState,
    ChannelRefusedError,
    ChannelUnreachableError,
    Credential,
    SetUp,
    TearDown,
)
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channel_registry import UnknownChannelError
from polyant.domain.channels import (
    BurstPolicy,
    ChannelAccess,
    ChannelAccount,
    ChannelConnection,
    ChannelName,
    ConnectionChangedError,
    ConnectionExistsError,
    ConnectionId,
    ConnectionState,
    Delivery,
    UnknownConnectionError,
)
from polyant.domain.errors import ConflictError, InvalidInputError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.secrets import SecretName
from polyant.domain.use_cases.connect_channel import Connected, NewConnection
from polyant.domain.use_cases.update_channel import ChannelChange
from polyant.testing.fake_channel import FAKE_TOKEN, FakeChannel
from support.channel_harness import FAKE, ChannelHarness

BOT, OTHER = Slug("bot"), Slug("other")
TOKEN = {"token": FAKE_TOKEN}


@pytest.fixture
async def harness() -> ChannelHarness:
    harness = ChannelHarness()
    await harness.create("bot", provider="echo")
    return harness


async def connect(harness: ChannelHarness, slug: Slug = BOT, **fields: Any) -> Connected:
    new = NewConnection(channel=FAKE, **{"credentials": TOKEN, **fields})
    return await harness.connect(slug, new, by=CLI)


async def actions(harness: ChannelHarness) -> list[str]:
    return [entry.action for entry in (await harness.audit_log.list(AuditQuery(action="channel"))).entries]


async def test_connection_is_stored_and_set_up(harness: ChannelHarness) -> None:
    connected = await connect(harness)
    connection = connected.connection
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", connection.id)
    assert (connection.account, connection.account_name) == ("fake-account", "@fake")
    assert (connection.access, connection.delivery) == (ChannelAccess.EVERYBODY, Delivery.WEBHOOK)
    assert connection.state is ConnectionState.ACTIVE
    assert harness.fake.changes == [SetUp(f"https://bots.example/channels/fake/{connection.id}")]
    assert await harness.list_channels(BOT) == await harness.list_channels() == (connection,)
    assert await actions(harness) == ["channel.connect"]


async def test_connecting_again_ends_the_problems(harness: ChannelHarness) -> None:
    connection = (await connect(harness)).connection
    for kind in ProblemKind:
        await harness.connections.set_problem(connection.id, kind, "why", at=connection.created_at)
    assert (await connect(harness)).connection.problems == ()
    assert (await harness.list_channels.one(BOT, FAKE)).problems == ()


async def test_credentials_are_encrypted_secrets_of_the_instance(harness: ChannelHarness) -> None:
    connection = (await connect(harness)).connection
    instance = await harness.show_instance(BOT)
    assert connection.credentials == {"token": "fake_token"}
    assert FAKE_TOKEN not in repr(instance)
    account = await harness.accounts.open(connection)
    assert account.credentials["token"].reveal() == FAKE_TOKEN


async def test_events_are_pulled_without_a_public_address(harness: ChannelHarness) -> None:
    harness.public_url = ""
    assert (await connect(harness)).connection.delivery is Delivery.PULL
    assert harness.fake.changes == [SetUp(None)]


async def test_webhook_needs_a_public_address(harness: ChannelHarness) -> None:
    harness.public_url = ""
    with pytest.raises(InvalidInputError, match="that the internet reaches"):
        await connect(harness, delivery=Delivery.WEBHOOK)


async def test_choices_are_stored(harness: ChannelHarness) -> None:
    connection = (
        await connect(
            harness,
            delivery=Delivery.PULL,
            access=ChannelAccess.ALLOW_LIST,
            users=frozenset({"7"}),
            burst=BurstPolicy.ENQUEUE,
        )
    ).connection
    assert (connection.access, connection.users, connection.burst) == (
        ChannelAccess.ALLOW_LIST,
        frozenset({"7"}),
        BurstPolicy.ENQUEUE,
    )


async def test_generated_credentials_are_kept_when_connecting_again(harness: ChannelHarness) -> None:
    class GeneratingChannel(FakeChannel):
        info = replace(
            FakeChannel.info,
            credentials=(*FakeChannel.info.credentials, Credential(name="hook", label="", generated=True)),
        )

    harness.fake = GeneratingChannel()
    first = await harness.accounts.open((await connect(harness)).connection)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32,256}", first.credentials["hook"].reveal())
    again = await harness.accounts.open((await connect(harness, credentials={})).connection)
    assert again.credentials["hook"].reveal() == first.credentials["hook"].reveal()
    with pytest.raises(InvalidInputError, match="no credential hook"):
        await connect(harness, credentials={"hook": "mine"})


async def test_connecting_again_keeps_the_address_and_activates(harness: ChannelHarness) -> None:
    first = (await connect(harness, users=frozenset({"7"}))).connection
    await harness.connections.save(replace(first, state=ConnectionState.PAUSED))
    again = (await connect(harness, credentials={"token": "another-token-123"})).connection
    assert (again.id, again.users, again.state) == (first.id, frozenset({"7"}), ConnectionState.ACTIVE)
    account = await harness.accounts.open(again)
    assert account.credentials["token"].reveal() == "another-token-123"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"credentials": {}}, "Token is missing"),
        ({"credentials": {"tokn": "x"}}, "no credential tokn: it has token"),
        ({"credentials": {"token": ""}}, "A secret must have"),
        ({"options": {"phone": "1"}}, "no option phone"),
        ({"users": frozenset({"a b"})}, "users must be"),
    ],
)
async def test_invalid_choices_are_refused(harness: ChannelHarness, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        await connect(harness, **fields)
    assert await harness.list_channels() == ()
    assert harness.fake.changes == []


async def test_unsupported_choices_are_refused(harness: ChannelHarness) -> None:
    class PlainChannel(FakeChannel):
        info = replace(FakeChannel.info, accesses=(ChannelAccess.EVERYBODY,), deliveries=(Delivery.WEBHOOK,))

    harness.fake = PlainChannel()
    with pytest.raises(InvalidInputError, match="doesn't support the access pairing: use everybody"):
        await connect(harness, access=ChannelAccess.PAIRING)
    with pytest.raises(InvalidInputError, match="doesn't support pull: use webhook"):
        await connect(harness, delivery=Delivery.PULL)
    await connect(harness)
    with pytest.raises(InvalidInputError, match="doesn't support the access pairing"):
        await harness.update_channel(BOT, FAKE, ChannelChange(access=ChannelAccess.PAIRING), by=CLI)


async def test_empty_value_removes_an_optional_option(harness: ChannelHarness) -> None:
    region, zone = Credential(name="region", label="Region"), Credential(name="zone", label="Zone", required=False)
    harness.fake.info = replace(FakeChannel.info, options=(region, zone))
    await connect(harness, options={"region": "eu", "zone": "1"})
    assert (await connect(harness, options={"region": "us"})).connection.options == {"region": "us", "zone": "1"}
    assert (await connect(harness, options={"zone": ""})).connection.options == {"region": "us"}
    with pytest.raises(InvalidInputError, match="Region is missing"):
        await connect(harness, options={"region": ""})


async def test_unknown_instance_and_channel_are_reported(harness: ChannelHarness) -> None:
    with pytest.raises(UnknownInstanceError):
        await connect(harness, Slug("nope"))
    with pytest.raises(UnknownChannelError) as caught:
        await harness.connect(BOT, NewConnection(channel=ChannelName("icq")), by=CLI)
    assert caught.value.hint == "The channels are: fake"


async def test_account_belongs_to_one_instance(harness: ChannelHarness) -> None:
    await harness.create("other", provider="echo")
    await connect(harness)
    with pytest.raises(ConnectionExistsError):
        await connect(harness, OTHER)
    assert not (await harness.show_instance(OTHER)).secrets.keys() & {"fake_token"}


async def test_another_account_needs_a_disconnect_first(harness: ChannelHarness) -> None:
    await connect(harness)
    harness.fake.state = AccountState(account="second", name="@second")
    with pytest.raises(ConflictError, match="connected to @fake: disconnect it first"):
        await connect(harness)


class _RefusingChannel(FakeChannel):
    """Refuses every change."""

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        if change is not None:
            raise ChannelRefusedError("Fake refuses the setup")
        return self.state


async def test_nothing_is_connected_if_the_platform_refuses_the_setup(harness: ChannelHarness) -> None:
    harness.fake = _RefusingChannel()
    with pytest.raises(ChannelRefusedError):
        await connect(harness)
    assert await harness.list_channels() == ()


async def imported(harness: ChannelHarness) -> ChannelConnection:
    """Stores a connection without an account, as an import does."""
    instance = await harness.show_instance(BOT)
    content = ChannelContent(
        channel=FAKE, delivery=Delivery.WEBHOOK, access=ChannelAccess.ALLOW_LIST, users=frozenset({"7"})
    )
    draft = disconnected(content, ConnectionId("i" * 22), instance_id=instance.id, slug=BOT, at=harness.clock.now())
    return await harness.connections.add(draft)


async def test_imported_connection_gets_its_account_in_one_write(harness: ChannelHarness) -> None:
    before = await imported(harness)
    connection = (await connect(harness)).connection
    assert (connection.id, connection.account, connection.version) == (before.id, "fake-account", before.version + 1)
    assert (connection.access, connection.users) == (before.access, before.users)
    assert await harness.list_channels(BOT) == (connection,)
    assert await actions(harness) == ["channel.connect"]


async def test_imported_connection_stays_if_the_platform_refuses_the_setup(harness: ChannelHarness) -> None:
    before = await imported(harness)
    harness.fake = _RefusingChannel()
    with pytest.raises(ChannelRefusedError):
        await connect(harness)
    assert await harness.list_channels(BOT) == (replace(before, version=before.version + 2),)


async def test_imported_connection_stays_if_its_account_is_taken(harness: ChannelHarness) -> None:
    before = await imported(harness)
    await harness.create("other", provider="echo")
    await connect(harness, OTHER)
    with pytest.raises(ConnectionExistsError):
        await connect(harness)
    assert await harness.list_channels(BOT) == (before,)


async def test_credentials_to_enter_are_those_of_the_stored_delivery(harness: ChannelHarness) -> None:
    by_delivery = [Credential(name=each.value, label=each.value, needed_for=each) for each in Delivery]
    harness.fake.info = replace(harness.fake.info, credentials=(*harness.fake.info.credentials, *by_delivery))
    given = {"token": FAKE_TOKEN, "pull": "app"}
    await connect(harness, delivery=Delivery.PULL, credentials=given)

    async def wanted(delivery: Delivery | None = None) -> list[tuple[str, bool]]:
        found = await harness.connect.credentials(BOT, FAKE, delivery)
        return [(credential.name, is_stored) for credential, is_stored in found]

    assert await wanted() == [("token", True), ("pull", True)]
    assert await wanted(Delivery.WEBHOOK) == [("token", True), ("webhook", False)]


async def test_outdated_version_is_refused(harness: ChannelHarness) -> None:
    connection = (await connect(harness)).connection
    for versions in ([connection.version + 1], []):
        with pytest.raises(ConnectionChangedError):
            await harness.connect(BOT, NewConnection(channel=FAKE), by=CLI, expected_versions=versions)
        with pytest.raises(ConnectionChangedError):
            await harness.update_channel(BOT, FAKE, ChannelChange(), by=CLI, expected_versions=versions)
        with pytest.raises(ConnectionChangedError):
            await harness.disconnect(BOT, FAKE, by=CLI, expected_versions=versions)


async def test_account_is_checked(harness: ChannelHarness) -> None:
    connection = (await connect(harness)).connection
    harness.fake.state = AccountState(account="fake-account", problems=("the webhook fails",))
    assert (await harness.check(BOT, FAKE)).problems == ("the webhook fails",)
    await harness.connections.save(replace(connection, state=ConnectionState.PAUSED))
    problems = (await harness.check(BOT, FAKE)).problems
    assert problems[0] == "the webhook fails"
    assert "paused" in problems[1]


async def test_missing_credential_is_a_problem(harness: ChannelHarness) -> None:
    await connect(harness)
    await harness.delete_secret(BOT, SecretName("fake_token"))
    (problem,) = (await harness.check(BOT, FAKE)).problems
    assert "fake_token of bot is missing" in problem


async def test_unreachable_platform_is_a_problem(harness: ChannelHarness) -> None:
    class DownChannel(FakeChannel):
        async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
            raise ChannelUnreachableError("Fake")

    await connect(harness)
    harness.fake = DownChannel()
    del harness.__dict__["channels"]
    assert (await harness.check(BOT, FAKE)).problems == ("Fake can't be reached",)
    assert await harness.disconnect(BOT, FAKE, by=CLI) == "Fake can't be reached"
    assert await harness.list_channels() == ()


async def test_choices_are_changed(harness: ChannelHarness) -> None:
    await connect(harness)
    change = ChannelChange(access=ChannelAccess.ALLOW_LIST, users=frozenset({"9"}))
    changed = await harness.update_channel(BOT, FAKE, change, by=CLI)
    assert (changed.access, changed.users, changed.burst) == (
        ChannelAccess.ALLOW_LIST,
        frozenset({"9"}),
        BurstPolicy.COALESCE,
    )
    entry = (await harness.audit_log.list(AuditQuery(action="channel.update"))).entries[0]
    assert entry.details == ("fake", "access", "users")


async def test_approved_user_may_talk(harness: ChannelHarness) -> None:
    connection = (await connect(harness, access=ChannelAccess.PAIRING)).connection
    assert not connection.admits("4711", workspace=False)
    code = await harness.pairing.code_of(connection.id, "4711")
    approved = await harness.update_channel.approve(BOT, FAKE, code, by=CLI)
    assert approved.admits("4711", workspace=False)
    with pytest.raises(InvalidInputError):
        await harness.update_channel.approve(BOT, FAKE, "4712-AAAAAAAA", by=CLI)


async def test_disconnected_channel_is_gone_with_its_credentials(harness: ChannelHarness) -> None:
    connection = (await connect(harness)).connection
    assert await harness.disconnect(BOT, FAKE, by=CLI) is None
    assert harness.fake.changes[-1] == TearDown(f"https://bots.example/channels/fake/{connection.id}")
    assert await harness.list_channels(BOT) == ()
    assert "fake_token" not in (await harness.show_instance(BOT)).secrets
    assert await actions(harness) == ["channel.disconnect", "channel.connect"]
    for call in (harness.check(BOT, FAKE), harness.disconnect(BOT, FAKE, by=CLI)):
        with pytest.raises(UnknownConnectionError):
            await call


async def test_webhook_that_stays_is_a_problem(harness: ChannelHarness) -> None:
    await connect(harness)
    harness.fake.state = replace(harness.fake.state, problems=("It stays", "It is another server's"))
    assert await harness.disconnect(BOT, FAKE, by=CLI) == "It stays; It is another server's"
    assert await harness.list_channels() == ()


async def test_server_without_an_address_knows_the_end_of_the_webhook(harness: ChannelHarness) -> None:
    connection = (await connect(harness)).connection
    harness.public_url = ""
    assert await harness.disconnect(BOT, FAKE, by=CLI) is None
    assert harness.fake.changes[-1] == TearDown(f"/channels/fake/{connection.id}")


async def test_server_that_pulls_has_no_webhook_to_end(harness: ChannelHarness) -> None:
    await connect(harness, delivery=Delivery.PULL)
    assert await harness.disconnect(BOT, FAKE, by=CLI) is None
    assert harness.fake.changes[-1] == TearDown(None)


async def test_paused_connection_is_disconnected_without_telling_the_platform(harness: ChannelHarness) -> None:
    """Another server may answer for the account."""
    connection = (await connect(harness)).connection
    await harness.connections.save(replace(connection, state=ConnectionState.PAUSED))
    await harness.disconnect(BOT, FAKE, by=CLI)
    assert not any(isinstance(change, TearDown) for change in harness.fake.changes)
