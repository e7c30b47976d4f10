import pytest

from polyant.domain.errors import NotFoundError
from polyant.domain.instances import Slug
from polyant.domain.use_cases.show_model import ShowModel
from support.harness import UseCaseHarness


async def test_active_instance_is_shown(harness: UseCaseHarness, slug: Slug) -> None:
    assert await ShowModel(repo=harness.repo)(slug) == await harness.load(slug)


@pytest.mark.parametrize("text", ["nobody", "asleep", "No Slug", "", "support-bot\n"])
async def test_other_instances_are_not_found(harness: UseCaseHarness, slug: Slug, text: str) -> None:
    await harness.add_instance("asleep", active=False)
    with pytest.raises(NotFoundError, match="Unknown model"):
        await ShowModel(repo=harness.repo)(text)
