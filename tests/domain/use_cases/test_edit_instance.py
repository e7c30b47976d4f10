import asyncio
from datetime import datetime

import msgspec
import pytest

from polyant.domain.errors import InstanceChangedError, InvalidInputError, UnknownInstanceError
from polyant.domain.instances import Instance, Slug
from support.backstage import Backstage

OFTEN = 1_000


def renamed(instance: Instance, _: datetime) -> Instance:
    return msgspec.structs.replace(instance, name="Renamed")


async def test_edit_is_stored_with_its_time(backstage: Backstage, slug: Slug) -> None:
    edited = await backstage.change(slug, renamed)
    assert edited == await backstage.stored(slug)
    assert (edited.name, edited.version, edited.updated_at) == ("Renamed", 2, backstage.clock.now())


async def test_edit_that_lost_a_race_is_applied_to_what_the_other_wrote(backstage: Backstage, slug: Slug) -> None:
    backstage.repo.races = 3
    edited = await backstage.change(slug, renamed)
    assert (edited.name, edited.description, edited.version) == ("Renamed", "xxx", 5)


async def test_asynchronous_edit_that_lost_a_race_is_applied_again(backstage: Backstage, slug: Slug) -> None:
    seen: list[int] = []

    async def rename(instance: Instance, _: datetime) -> Instance:
        await asyncio.sleep(0)
        seen.append(instance.version)
        return msgspec.structs.replace(instance, name="Renamed")

    backstage.repo.races = 1
    edited = await backstage.change(slug, rename)
    assert (edited.name, edited.description, seen) == ("Renamed", "x", [1, 2])


async def test_edit_that_loses_every_race_gives_up(backstage: Backstage, slug: Slug) -> None:
    backstage.repo.races = OFTEN
    with pytest.raises(InstanceChangedError):
        await backstage.change(slug, renamed)
    assert (await backstage.stored(slug)).name == "support-bot"
    assert backstage.repo.races


async def test_edit_of_an_expected_version_is_not_applied_to_another(backstage: Backstage, slug: Slug) -> None:
    version = (await backstage.stored(slug)).version
    with pytest.raises(InstanceChangedError):
        await backstage.change(slug, renamed, expected_versions={version + 1})
    backstage.repo.races = 1
    with pytest.raises(InstanceChangedError):
        await backstage.change(slug, renamed, expected_versions={version})
    assert (await backstage.stored(slug)).name == "support-bot"


async def test_edit_of_an_expected_version_is_stored(backstage: Backstage, slug: Slug) -> None:
    assert (await backstage.change(slug, renamed, expected_versions={1})).version == 2


async def test_edit_that_breaks_a_rule_is_not_stored(backstage: Backstage, slug: Slug) -> None:
    before = await backstage.stored(slug)
    with pytest.raises(InvalidInputError, match="name must have"):
        await backstage.change(slug, lambda instance, _: msgspec.structs.replace(instance, name=""))
    assert await backstage.stored(slug) == before


async def test_unknown_instance_cannot_be_edited(backstage: Backstage) -> None:
    with pytest.raises(UnknownInstanceError):
        await backstage.change(Slug("nobody"), renamed)
