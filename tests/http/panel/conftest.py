from collections.abc import AsyncIterator

import pytest

from polyant.domain.users import Role
from support.app import App, serving
from support.management import PASSWORD
from support.panel import Browser


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with serving(panel=True) as app:
        yield app


@pytest.fixture
async def anybody(app: App) -> Browser:
    return Browser(app)


@pytest.fixture
async def browser(app: App, anybody: Browser) -> Browser:
    """The browser of a signed-in superadmin."""
    await app.management.add_user("ada@example.com", role=Role.SUPERADMIN, password=PASSWORD)
    response = await anybody.sign_in()
    assert response.status == 303, response.body
    return anybody
