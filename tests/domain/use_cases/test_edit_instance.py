import asyncio
from datetime import datetime

import msgspec
import pytest

from polyant.domain.errors import InstanceChangedError, InvalidInputError, UnknownInstanceError
from polyant.domain.instances import Instance, Slug
from support.harness import UseCaseHarness

OFTEN = 1_000


def renamed(instance: Instance, _: datetime) -> Instance:
    return msgspec.structs.replace(instance, name="Renamed")


async def test_edit_is_stored_with_its_time(harness: UseCaseHarness, slug: Slug) -> None:
    edited = await harness.apply_edit(slug, renamed)
    assert edited == await harness.load(slug)
    assert (edited.name, edited.version, edited.updated_at) == ("Renamed", 2, harness.clock.now())


async def test_edit_that_lost_a_race_is_applied_to_the_newer_version(harness: UseCaseHarness, slug: Slug) -> None:
    harness.repo.races = 3
    edited = await harness.apply_edit(slug, renamed)
    assert (edited.name, edited.description, edited.version) == ("Renamed", "xxx", 5)


async def test_asynchronous_edit_that_lost_a_race_is_applied_again(harness: UseCaseHarness, slug: Slug) -> None:
    seen: list[int] = []

    async def rename(instance: Instance, _: datetime) -> Instance:
        await asyncio.sleep(0)
        seen.append(instance.version)
        return msgspec.structs.replace(instance, name="Renamed")

    harness.repo.races = 1
    edited = await harness.apply_edit(slug, rename)
    assert (edited.name, edited.description, seen) == ("Renamed", "x", [1, 2])


async def test_edit_that_loses_every_race_gives_up(harness: UseCaseHarness, slug: Slug) -> None:
    harness.repo.races = OFTEN
    with pytest.raises(InstanceChangedError):
        await harness.apply_edit(slug, renamed)
    assert (await harness.load(slug)).name == "support-bot"
    assert harness.repo.races


async def test_edit_of_an_expected_version_is_not_applied_to_another_version(
    harness: UseCaseHarness, slug: Slug
) -> None:
    version = (await harness.load(slug)).version
    with pytest.raises(InstanceChangedError):
        await harness.apply_edit(slug, renamed, expected_versions={version + 1})
    harness.repo.races = 1
    with pytest.raises(InstanceChangedError):
        await harness.apply_edit(slug, renamed, expected_versions={version})
    assert (await harness.load(slug)).name == "support-bot"


async def test_edit_of_an_expected_version_is_stored(harness: UseCaseHarness, slug: Slug) -> None:
    assert (await harness.apply_edit(slug, renamed, expected_versions={1})).version == 2


async def test_invalid_edit_is_not_stored(harness: UseCaseHarness, slug: Slug) -> None:
    before = await harness.load(slug)
    with pytest.raises(InvalidInputError, match="name must have"):
        await harness.apply_edit(slug, lambda instance, _: msgspec.structs.replace(instance, name=""))
    assert await harness.load(slug) == before


async def test_unknown_instance_cannot_be_edited(harness: UseCaseHarness) -> None:
    with pytest.raises(UnknownInstanceError):
        await harness.apply_edit(Slug("nobody"), renamed)
