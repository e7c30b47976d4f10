import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import InstanceChangedError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.use_cases.create_instance import CreateInstance
from polyant.domain.use_cases.delete_instance import DeleteInstance
from polyant.domain.use_cases.show_instance import ShowInstance
from support.management import ManagementHarness

BOT = Slug("bot")


async def test_instance_is_gone_and_the_trail_still_tells_of_it(office: ManagementHarness) -> None:
    await (await office.get(CreateInstance))(BOT, by=CLI, provider="echo")
    await (await office.get(DeleteInstance))(BOT, by=CLI)
    with pytest.raises(UnknownInstanceError):
        await ShowInstance(repo=office.repo)(BOT)
    told = [("cli", action, "bot", None, ()) for action in ("instance.create", "instance.delete")]
    assert await office.entries() == told


async def test_only_an_expected_version_is_deleted(office: ManagementHarness) -> None:
    created = await (await office.get(CreateInstance))(BOT, by=CLI, provider="echo")
    with pytest.raises(InstanceChangedError):
        await (await office.get(DeleteInstance))(BOT, by=CLI, expected_versions={2})
    assert await ShowInstance(repo=office.repo)(BOT) == created
    await (await office.get(DeleteInstance))(BOT, by=CLI, expected_versions={1, 2})
    assert await office.repo.get(BOT) is None


@pytest.mark.parametrize("versions", [None, {1}])
async def test_unknown_instance_is_told_of(office: ManagementHarness, versions: set[int] | None) -> None:
    with pytest.raises(UnknownInstanceError):
        await (await office.get(DeleteInstance))(BOT, by=CLI, expected_versions=versions)
    assert await office.entries() == []
