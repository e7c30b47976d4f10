"""Which addresses of an instance may be outside the public internet, and who may set them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.audit import CLI, Actor
from polyant.domain.errors import InvalidInputError
from polyant.domain.instance_content import content_of
from polyant.domain.instances import Instance, Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.public_addresses import is_public
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.delete_mcp_server import DeleteMcpServer
from polyant.domain.use_cases.import_instance import ImportInstance
from polyant.domain.use_cases.replace_mcp_servers import ReplaceMcpServers
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.testing.factories import InstanceFactory
from support.harness import ALLOWED_ORIGINS, ECHO, VENDOR, UseCaseHarness
from support.management import ManagementHarness
from support.scripted_supervisor import ScriptedSupervisor
from support.turn_runner import TurnRunner


@pytest.fixture
def management() -> ManagementHarness:
    return ManagementHarness(TurnRunner(ScriptedSupervisor()), UseCaseHarness().cipher)


POLICY = OutboundPolicy(providers={"echo": ECHO, "vendor": VENDOR}, origins=ALLOWED_ORIGINS)
EVE = Actor("eve@example.com")
BOT = Slug("bot")
INSIDE = "http://10.0.0.5:8000/v1"
NAMED = "http://intranet.example/v1"
CRM = McpServer(name="crm", url="http://192.168.1.9/mcp")


def restricted(instance: Instance) -> set[str]:
    return {address for address in instance.addresses if POLICY.restricts(instance, address)}


async def created(management: ManagementHarness, base_url: str | None, *, unrestricted: bool = False) -> Instance:
    create = await management.get(CreateInstance)
    new = NewInstance(slug=BOT, provider="vendor", base_url=base_url)
    return (await create(new, by=EVE, unrestricted=unrestricted)).instance


@pytest.mark.parametrize(
    "address", ["https://api.vendor.example/v1", "https://api.vendor.example/v2", "http://ollama:11434/v1"]
)
async def test_every_user_can_set_a_vendors_and_a_listed_address(management: ManagementHarness, address: str) -> None:
    assert restricted(await created(management, address)) == set()


@pytest.mark.parametrize(
    "address",
    [
        NAMED,
        "https://openrouter.example/api/v1",
        "http://93.184.215.14/",
        "http://ollama:11435",
        "https://ollama:11434",
    ],
)
async def test_users_other_address_is_restricted_to_public_ip_addresses(
    management: ManagementHarness, address: str
) -> None:
    instance = await created(management, address)
    assert restricted(instance) == {address.rstrip("/")}
    assert instance.approved_addresses == frozenset()


@pytest.mark.parametrize(
    "address",
    [
        *("http://127.0.0.1:5432", "http://[::1]/", "http://[::ffff:10.0.0.1]/v1", "http://169.254.169.254/latest"),
        *("http://localhost:11434/v1", "http://LOCALHOST", "http://db.localhost/", "http://localhost./", INSIDE),
    ],
)
async def test_user_cannot_set_an_address_that_is_evidently_internal(
    management: ManagementHarness, address: str
) -> None:
    with pytest.raises(InvalidInputError, match="Only a superadmin can set the address"):
        await created(management, address)
    assert await management.repo.get(BOT) is None


async def test_superadmins_address_is_approved(management: ManagementHarness) -> None:
    instance = await created(management, f"{INSIDE}/", unrestricted=True)
    assert instance.approved_addresses == {INSIDE}
    assert restricted(instance) == set()


async def test_users_edit_that_leaves_the_address_keeps_its_approval(management: ManagementHarness) -> None:
    await created(management, INSIDE, unrestricted=True)
    update = await management.get(UpdateInstance)
    for patch in (InstancePatch(name="Other"), InstancePatch(base_url=INSIDE), InstancePatch(base_url=f"{INSIDE}/")):
        assert (await update(BOT, patch, by=EVE)).approved_addresses == {INSIDE}


async def test_users_edit_that_changes_the_address_drops_its_approval(management: ManagementHarness) -> None:
    await created(management, NAMED, unrestricted=True)
    update = await management.get(UpdateInstance)
    for address in (f"{NAMED}/other", "https://public.example", None):
        assert (await update(BOT, InstancePatch(base_url=address), by=EVE)).approved_addresses == frozenset()
        back = await update(BOT, InstancePatch(base_url=NAMED), by=EVE)
        assert restricted(back) == {NAMED}


async def test_superadmin_approves_an_address_only_by_setting_it(management: ManagementHarness) -> None:
    await created(management, NAMED)
    update = await management.get(UpdateInstance)
    renamed = await update(BOT, InstancePatch(name="Other"), by=CLI, unrestricted=True)
    assert restricted(renamed) == {NAMED}
    approved = await update(BOT, InstancePatch(base_url=NAMED), by=CLI, unrestricted=True)
    assert restricted(approved) == set()


async def test_mcp_servers_follow_the_same_rules(management: ManagementHarness) -> None:
    await created(management, None)
    replace = await management.get(ReplaceMcpServers)
    with pytest.raises(InvalidInputError, match=r"Only a superadmin can set the address http://192\.168\.1\.9/mcp"):
        await replace(BOT, [CRM], by=EVE)
    assert restricted(await replace(BOT, [CRM], by=CLI, unrestricted=True)) == set()
    web = McpServer(name="web", url=NAMED)
    assert restricted(await replace(BOT, [CRM, web], by=EVE)) == {NAMED}
    moved = msgspec.structs.replace(CRM, url="http://192.168.1.9/admin")
    with pytest.raises(InvalidInputError, match="Only a superadmin"):
        await replace(BOT, [moved], by=EVE)
    await (await management.get(DeleteMcpServer))(BOT, "crm", by=EVE)
    with pytest.raises(InvalidInputError, match="Only a superadmin"):
        await replace(BOT, [CRM], by=EVE)


async def test_import_and_copy_carry_no_approval(management: ManagementHarness) -> None:
    content = content_of(await created(management, NAMED, unrestricted=True))
    import_instance = await management.get(ImportInstance)
    copy = await import_instance(Slug("copy"), content, by=EVE)
    assert restricted(copy) == {NAMED}
    again = await import_instance(Slug("again"), content, by=CLI, unrestricted=True)
    assert restricted(again) == set()


async def test_user_overwriting_an_instance_keeps_only_approved_addresses_that_stay(
    management: ManagementHarness,
) -> None:
    before = await created(management, INSIDE, unrestricted=True)
    import_instance = await management.get(ImportInstance)
    content = msgspec.structs.replace(content_of(before), mcp_servers=(McpServer(name="web", url=NAMED),))
    after = await import_instance(BOT, content, by=EVE, overwrite=True)
    assert after.approved_addresses == {INSIDE}
    assert restricted(after) == {NAMED}
    with pytest.raises(InvalidInputError, match="Only a superadmin"):
        await import_instance(BOT, msgspec.structs.replace(content, base_url="http://10.0.0.6"), by=EVE, overwrite=True)


@given(st.ip_addresses())
def test_ip_address_is_refused_if_it_is_not_public(address: object) -> None:
    host = f"[{address}]" if ":" in str(address) else str(address)
    instance = InstanceFactory.build(base_url=f"http://{host}/v1", mcp_servers=(), approved_addresses=frozenset())
    try:
        POLICY.approved(instance, instance.addresses, unrestricted=False, before=instance)
    except InvalidInputError:
        assert not is_public(str(address))
    else:
        assert is_public(str(address))
