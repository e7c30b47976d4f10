import re

from polyant.domain.access import authorise
from polyant.domain.instances import Slug
from polyant.domain.secrets import AUTH_API_KEY
from support.backstage import Backstage


async def test_key_lets_its_holder_in_and_turns_auth_on(backstage: Backstage, slug: Slug) -> None:
    key = await backstage.issue_key(slug)
    stored = await backstage.stored(slug)
    assert stored.auth_enabled
    authorise(stored, key, backstage.cipher)


async def test_key_has_192_random_bits_or_more(backstage: Backstage, slug: Slug) -> None:
    keys = {(await backstage.issue_key(slug)).reveal() for _ in range(5)}
    assert len(keys) == 5
    assert all(re.fullmatch(r"sk-[A-Za-z0-9_-]{32,}", key) for key in keys)


async def test_key_is_stored_sealed_and_found_by_its_fingerprint(backstage: Backstage, slug: Slug) -> None:
    key = await backstage.issue_key(slug)
    stored = await backstage.stored(slug)
    secret = stored.secrets[AUTH_API_KEY]
    assert key.reveal() not in secret.sealed
    assert backstage.opened(stored, AUTH_API_KEY) == key.reveal()
    assert secret.fingerprint == backstage.cipher.fingerprints(key)[0]
    assert secret.updated_at == backstage.clock.now()


async def test_new_key_replaces_the_earlier_one(backstage: Backstage, slug: Slug) -> None:
    await backstage.issue_key(slug)
    second = await backstage.issue_key(slug)
    assert backstage.opened(await backstage.stored(slug), AUTH_API_KEY) == second.reveal()


async def test_auth_stays_as_it_is_if_asked_to(backstage: Backstage, slug: Slug) -> None:
    await backstage.issue_key(slug, keep_open=True)
    assert not (await backstage.stored(slug)).auth_enabled
    await backstage.issue_key(slug)
    await backstage.issue_key(slug, keep_open=True)
    assert (await backstage.stored(slug)).auth_enabled


async def test_key_that_lost_a_race_is_the_one_returned(backstage: Backstage, slug: Slug) -> None:
    backstage.repo.races = 2
    key = await backstage.issue_key(slug)
    assert backstage.opened(await backstage.stored(slug), AUTH_API_KEY) == key.reveal()
