import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import InstanceChangedError, InvalidInputError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.prompts import SECTION_MOST_CHARACTERS, SectionKey
from polyant.domain.use_cases.update_prompts import UpdatePrompts
from support.backstage import Backstage


@pytest.fixture
def update(backstage: Backstage) -> UpdatePrompts:
    return UpdatePrompts(edit=backstage.edit)


async def test_given_sections_change_and_others_stay(backstage: Backstage, slug: Slug, update: UpdatePrompts) -> None:
    before = await backstage.stored(slug)
    after = await update(slug, {SectionKey.SOUL: "Be brief.", SectionKey.MEMORY: ""}, by=CLI)
    assert after == await backstage.stored(slug)
    assert after.sections == {**before.sections, SectionKey.SOUL: "Be brief.", SectionKey.MEMORY: ""}


async def test_two_who_change_different_sections_don_t_overwrite_each_other(
    backstage: Backstage, slug: Slug, update: UpdatePrompts
) -> None:
    await update(slug, {SectionKey.SOUL: "Be brief."}, by=CLI)
    backstage.repo.races = 2
    after = await update(slug, {SectionKey.SAFETY: "Be careful."}, by=CLI)
    assert (after.sections[SectionKey.SOUL], after.sections[SectionKey.SAFETY]) == ("Be brief.", "Be careful.")
    assert after.description == "xx"


@pytest.mark.parametrize("content", ["x" * (SECTION_MOST_CHARACTERS + 1), "\0", "\ud800"])
async def test_one_faulty_section_keeps_all_from_being_stored(
    backstage: Backstage, slug: Slug, update: UpdatePrompts, content: str
) -> None:
    before = await backstage.stored(slug)
    with pytest.raises(InvalidInputError, match="Section 03-tooling must have at most 32768 characters"):
        await update(slug, {SectionKey.SOUL: "Be brief.", SectionKey.TOOLING: content}, by=CLI)
    assert await backstage.stored(slug) == before


async def test_longest_section_is_stored(slug: Slug, update: UpdatePrompts) -> None:
    longest = "é" * SECTION_MOST_CHARACTERS
    assert (await update(slug, {SectionKey.SOUL: longest}, by=CLI)).sections[SectionKey.SOUL] == longest


async def test_unknown_instance_and_another_version_are_refused(slug: Slug, update: UpdatePrompts) -> None:
    with pytest.raises(UnknownInstanceError):
        await update(Slug("nobody"), {}, by=CLI)
    with pytest.raises(InstanceChangedError):
        await update(slug, {SectionKey.SOUL: "x"}, by=CLI, expected_versions={7})
