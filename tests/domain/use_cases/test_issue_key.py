import re
from datetime import timedelta

import msgspec
import pytest

from polyant.domain.access import authorise, key_held
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Slug
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretText
from polyant.domain.use_cases.set_secret import MOST_GRACE_SECONDS
from support.backstage import Backstage


async def test_key_lets_its_holder_in_and_turns_auth_on(backstage: Backstage, slug: Slug) -> None:
    key = await backstage.issue_key(slug)
    stored = await backstage.stored(slug)
    assert stored.auth_enabled
    await authorise(stored, key, backstage.cipher, backstage.clock.now())


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
    assert secret.fingerprint == (await backstage.cipher.fingerprints(key))[0]
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


async def good_keys(backstage: Backstage, slug: Slug, *keys: SecretText) -> list[SecretText]:
    """Returns those of the keys that let their holder in now."""
    stored, now = await backstage.stored(slug), backstage.clock.now()
    return [key for key in keys if await key_held(stored, key, backstage.cipher, now)]


async def test_within_the_grace_both_keys_are_good_and_then_the_new_one(backstage: Backstage, slug: Slug) -> None:
    first = await backstage.issue_key(slug)
    second = await backstage.issue_key(slug, grace_seconds=60)
    assert await good_keys(backstage, slug, first, second) == [first, second]
    backstage.clock.advance(59)
    assert await good_keys(backstage, slug, first, second) == [first, second]
    backstage.clock.advance(1)
    assert await good_keys(backstage, slug, first, second) == [second]


async def test_previous_key_is_sealed_for_its_own_place_and_found_by_its_fingerprint(
    backstage: Backstage, slug: Slug
) -> None:
    first = await backstage.issue_key(slug)
    backstage.clock.advance(5)
    await backstage.issue_key(slug, grace_seconds=60)
    stored = await backstage.stored(slug)
    previous = stored.secrets[PREVIOUS_AUTH_API_KEY]
    assert backstage.opened(stored, PREVIOUS_AUTH_API_KEY) == first.reveal()
    assert previous.fingerprint == (await backstage.cipher.fingerprints(first))[0]
    assert previous.expires_at == backstage.clock.now() + timedelta(seconds=60)


async def test_only_the_last_key_is_replaced_with_a_grace(backstage: Backstage, slug: Slug) -> None:
    first = await backstage.issue_key(slug)
    second = await backstage.issue_key(slug, grace_seconds=60)
    third = await backstage.issue_key(slug, grace_seconds=60)
    assert await good_keys(backstage, slug, first, second, third) == [second, third]


async def test_without_a_grace_every_earlier_key_stops_at_once(backstage: Backstage, slug: Slug) -> None:
    first = await backstage.issue_key(slug)
    second = await backstage.issue_key(slug, grace_seconds=60)
    third = await backstage.issue_key(slug)
    assert await good_keys(backstage, slug, first, second, third) == [third]
    assert set((await backstage.stored(slug)).secrets) == {AUTH_API_KEY}


async def test_first_key_has_none_to_replace(backstage: Backstage, slug: Slug) -> None:
    key = await backstage.issue_key(slug, grace_seconds=60)
    assert await good_keys(backstage, slug, key) == [key]
    assert set((await backstage.stored(slug)).secrets) == {AUTH_API_KEY}


async def test_key_that_does_not_open_can_be_replaced(backstage: Backstage, slug: Slug) -> None:
    await backstage.issue_key(slug)
    stored = await backstage.stored(slug)
    damaged = msgspec.structs.replace(stored.secrets[AUTH_API_KEY], sealed="v1.damaged")
    await backstage.repo.save(msgspec.structs.replace(stored, secrets={AUTH_API_KEY: damaged}))
    key = await backstage.issue_key(slug, grace_seconds=60)
    assert await good_keys(backstage, slug, key) == [key]
    assert set((await backstage.stored(slug)).secrets) == {AUTH_API_KEY}


async def test_other_secrets_stay(backstage: Backstage, slug: Slug) -> None:
    await backstage.set_secret(slug, "one", "first")
    await backstage.issue_key(slug)
    await backstage.issue_key(slug, grace_seconds=60)
    assert backstage.opened(await backstage.stored(slug), "one") == "first"


@pytest.mark.parametrize("seconds", [-1, MOST_GRACE_SECONDS + 1, 10**30])
async def test_grace_out_of_bounds_is_refused(backstage: Backstage, slug: Slug, seconds: int) -> None:
    with pytest.raises(InvalidInputError, match="0 to 2592000 seconds"):
        await backstage.issue_key(slug, grace_seconds=seconds)
    assert (await backstage.stored(slug)).secrets == {}


async def test_given_key_is_stored_as_it_is(backstage: Backstage, slug: Slug) -> None:
    key = await backstage.issue_key(slug, given="sk-of-our-own-choice")
    stored = await backstage.stored(slug)
    assert key.reveal() == backstage.opened(stored, AUTH_API_KEY) == "sk-of-our-own-choice"
    assert stored.auth_enabled


@pytest.mark.parametrize("given", ["", "short", "two words of it", "x" * 513])
async def test_given_key_that_no_header_can_carry_is_refused(backstage: Backstage, slug: Slug, given: str) -> None:
    with pytest.raises(InvalidInputError):
        await backstage.issue_key(slug, given=given)
    assert (await backstage.stored(slug)).secrets == {}
