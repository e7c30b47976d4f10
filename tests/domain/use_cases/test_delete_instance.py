import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import InstanceChangedError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.delete_instance import DeleteInstance
from polyant.domain.use_cases.show_instance import ShowInstance
from support.management import ManagementHarness

BOT = Slug("bot")


async def test_instance_is_deleted_and_stays_in_the_audit_trail(management: ManagementHarness) -> None:
    await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=CLI)
    await (await management.get(DeleteInstance))(BOT, by=CLI)
    with pytest.raises(UnknownInstanceError):
        await ShowInstance(repo=management.repo)(BOT)
    told = [("cli", action, "bot", None, ()) for action in ("instance.create", "instance.delete")]
    assert await management.audit_entries() == told


async def test_only_an_expected_version_is_deleted(management: ManagementHarness) -> None:
    created = (await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=CLI)).instance
    with pytest.raises(InstanceChangedError):
        await (await management.get(DeleteInstance))(BOT, by=CLI, expected_versions={2})
    assert await ShowInstance(repo=management.repo)(BOT) == created
    await (await management.get(DeleteInstance))(BOT, by=CLI, expected_versions={1, 2})
    assert await management.repo.get(BOT) is None


@pytest.mark.parametrize("versions", [None, {1}])
async def test_unknown_instance_is_reported(management: ManagementHarness, versions: set[int] | None) -> None:
    with pytest.raises(UnknownInstanceError):
        await (await management.get(DeleteInstance))(BOT, by=CLI, expected_versions=versions)
    assert await management.audit_entries() == []
