import asyncio
from datetime import timedelta

import asyncpg  # type: ignore[import-untyped] # the package has no type hints

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.session_repo import PiccoloSessionRepo
from polyant.adapters.piccolo.user_repo import PiccoloUserRepo
from polyant.testing.factories import UserFactory
from polyant.testing.manual_clock import START
from polyant.testing.session_repo import session_of
from support.patience import PATIENCE

LATER = START + timedelta(hours=1)


async def test_login_does_not_wait_for_concurrent_session_revocations(
    postgres_url: str, postgres_database: PiccoloDatabase
) -> None:
    ann, bob = [await PiccoloUserRepo(database=postgres_database).add(user) for user in UserFactory.batch(2)]
    sessions = PiccoloSessionRepo(database=postgres_database)
    await sessions.add(session_of(ann, "expired", expires_at=LATER), user_version=1, now=START)
    other = await asyncpg.connect(postgres_url)
    try:
        async with other.transaction():
            await other.execute("DELETE FROM sessions WHERE user_id = $1", ann.id)
            async with asyncio.timeout(PATIENCE):
                session = session_of(bob, "new", expires_at=LATER + timedelta(hours=1))
                await sessions.add(session, user_version=1, now=LATER)
    finally:
        await other.close()
    assert await sessions.user_of("new", now=LATER) == bob
