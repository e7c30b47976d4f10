import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import InstanceChangedError, InvalidInputError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.prompts import MAX_SECTION_CHARACTERS, SectionKey
from polyant.domain.use_cases.update_prompts import UpdatePrompts
from support.harness import UseCaseHarness


@pytest.fixture
def update(harness: UseCaseHarness) -> UpdatePrompts:
    return UpdatePrompts(edit=harness.edit)


async def test_given_sections_change_and_others_stay(
    harness: UseCaseHarness, slug: Slug, update: UpdatePrompts
) -> None:
    before = await harness.load(slug)
    after = await update(slug, {SectionKey.SOUL: "Be brief.", SectionKey.MEMORY: ""}, by=CLI)
    assert after == await harness.load(slug)
    assert after.sections == {**before.sections, SectionKey.SOUL: "Be brief.", SectionKey.MEMORY: ""}


async def test_concurrent_changes_of_different_sections_are_both_kept(
    harness: UseCaseHarness, slug: Slug, update: UpdatePrompts
) -> None:
    await update(slug, {SectionKey.SOUL: "Be brief."}, by=CLI)
    harness.repo.races = 2
    after = await update(slug, {SectionKey.SAFETY: "Be careful."}, by=CLI)
    assert (after.sections[SectionKey.SOUL], after.sections[SectionKey.SAFETY]) == ("Be brief.", "Be careful.")
    assert after.description == "xx"


@pytest.mark.parametrize("content", ["x" * (MAX_SECTION_CHARACTERS + 1), "\0", "\ud800"])
async def test_no_section_is_stored_if_one_is_invalid(
    harness: UseCaseHarness, slug: Slug, update: UpdatePrompts, content: str
) -> None:
    before = await harness.load(slug)
    with pytest.raises(InvalidInputError, match="Section 03-tooling must have at most 32768 characters"):
        await update(slug, {SectionKey.SOUL: "Be brief.", SectionKey.TOOLING: content}, by=CLI)
    assert await harness.load(slug) == before


async def test_longest_section_is_stored(slug: Slug, update: UpdatePrompts) -> None:
    longest = "é" * MAX_SECTION_CHARACTERS
    assert (await update(slug, {SectionKey.SOUL: longest}, by=CLI)).sections[SectionKey.SOUL] == longest


async def test_unknown_instance_and_another_version_are_refused(slug: Slug, update: UpdatePrompts) -> None:
    with pytest.raises(UnknownInstanceError):
        await update(Slug("nobody"), {}, by=CLI)
    with pytest.raises(InstanceChangedError):
        await update(slug, {SectionKey.SOUL: "x"}, by=CLI, expected_versions={7})
