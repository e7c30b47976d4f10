import pytest

from polyant.domain.errors import NotFoundError
from polyant.domain.instances import Slug
from polyant.domain.use_cases.show_model import ShowModel
from support.backstage import Backstage


async def test_active_instance_is_shown(backstage: Backstage, slug: Slug) -> None:
    assert await ShowModel(repo=backstage.repo)(slug) == await backstage.stored(slug)


@pytest.mark.parametrize("text", ["nobody", "asleep", "No Slug", "", "support-bot\n"])
async def test_everything_else_is_not_found(backstage: Backstage, slug: Slug, text: str) -> None:
    await backstage.add("asleep", active=False)
    with pytest.raises(NotFoundError, match="Unknown model"):
        await ShowModel(repo=backstage.repo)(text)
