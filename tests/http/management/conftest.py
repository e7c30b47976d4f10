import pytest

from polyant.domain.users import Role
from support.api import Api
from support.app import App


@pytest.fixture
async def api(app: App) -> Api:
    """A client in the session of an ordinary user, with the instance `bot`."""
    client = Api(app, await app.management.issue_token(await app.management.add_user("ada@example.com")))
    await client.succeed("POST", "/instances", {"slug": "bot", "name": "Bot", "provider": "vendor"})
    return client


@pytest.fixture
async def admin(app: App) -> Api:
    """A client in the session of a superadmin."""
    return Api(
        app, await app.management.issue_token(await app.management.add_user("boss@example.com", role=Role.SUPERADMIN))
    )
