import pytest

from polyant.domain.instances import Slug
from support.backstage import Backstage


@pytest.fixture
def backstage() -> Backstage:
    return Backstage()


@pytest.fixture
async def slug(backstage: Backstage) -> Slug:
    """An instance's."""
    return await backstage.add("support-bot")
