import re
from datetime import timedelta

import msgspec
import pytest

from polyant.domain.access import authorise, matching_key
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Slug
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretText
from polyant.domain.use_cases.set_secret import MAX_GRACE_SECONDS
from support.harness import UseCaseHarness


async def test_issued_key_is_valid_and_turns_auth_on(harness: UseCaseHarness, slug: Slug) -> None:
    key = await harness.issue_key(slug)
    stored = await harness.load(slug)
    assert stored.auth_enabled
    await authorise(stored, key, harness.cipher, harness.clock.now())


async def test_key_has_192_random_bits_or_more(harness: UseCaseHarness, slug: Slug) -> None:
    keys = {(await harness.issue_key(slug)).reveal() for _ in range(5)}
    assert len(keys) == 5
    assert all(re.fullmatch(r"sk-[A-Za-z0-9_-]{32,}", key) for key in keys)


async def test_key_is_stored_encrypted_and_found_by_its_fingerprint(harness: UseCaseHarness, slug: Slug) -> None:
    key = await harness.issue_key(slug)
    stored = await harness.load(slug)
    secret = stored.secrets[AUTH_API_KEY]
    assert key.reveal() not in secret.sealed
    assert harness.plaintext(stored, AUTH_API_KEY) == key.reveal()
    assert secret.fingerprint == (await harness.cipher.fingerprints(key))[0]
    assert secret.updated_at == harness.clock.now()


async def test_new_key_replaces_the_previous_one(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.issue_key(slug)
    second = await harness.issue_key(slug)
    assert harness.plaintext(await harness.load(slug), AUTH_API_KEY) == second.reveal()


async def test_auth_is_unchanged_on_request(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.issue_key(slug, keep_open=True)
    assert not (await harness.load(slug)).auth_enabled
    await harness.issue_key(slug)
    await harness.issue_key(slug, keep_open=True)
    assert (await harness.load(slug)).auth_enabled


async def test_key_that_lost_a_race_is_the_one_returned(harness: UseCaseHarness, slug: Slug) -> None:
    harness.repo.races = 2
    key = await harness.issue_key(slug)
    assert harness.plaintext(await harness.load(slug), AUTH_API_KEY) == key.reveal()


async def valid_keys(harness: UseCaseHarness, slug: Slug, *keys: SecretText) -> list[SecretText]:
    """Returns the keys that are valid now."""
    stored, now = await harness.load(slug), harness.clock.now()
    return [key for key in keys if await matching_key(stored, key, harness.cipher, now)]


async def test_both_keys_are_valid_during_the_overlap_period(harness: UseCaseHarness, slug: Slug) -> None:
    first = await harness.issue_key(slug)
    second = await harness.issue_key(slug, grace_seconds=60)
    assert await valid_keys(harness, slug, first, second) == [first, second]
    harness.clock.advance(59)
    assert await valid_keys(harness, slug, first, second) == [first, second]
    harness.clock.advance(1)
    assert await valid_keys(harness, slug, first, second) == [second]


async def test_previous_key_is_encrypted_under_its_own_address_and_found_by_its_fingerprint(
    harness: UseCaseHarness, slug: Slug
) -> None:
    first = await harness.issue_key(slug)
    harness.clock.advance(5)
    await harness.issue_key(slug, grace_seconds=60)
    stored = await harness.load(slug)
    previous = stored.secrets[PREVIOUS_AUTH_API_KEY]
    assert harness.plaintext(stored, PREVIOUS_AUTH_API_KEY) == first.reveal()
    assert previous.fingerprint == (await harness.cipher.fingerprints(first))[0]
    assert previous.expires_at == harness.clock.now() + timedelta(seconds=60)


async def test_only_the_last_key_gets_an_overlap_period(harness: UseCaseHarness, slug: Slug) -> None:
    first = await harness.issue_key(slug)
    second = await harness.issue_key(slug, grace_seconds=60)
    third = await harness.issue_key(slug, grace_seconds=60)
    assert await valid_keys(harness, slug, first, second, third) == [second, third]


async def test_earlier_keys_expire_at_once_without_an_overlap_period(harness: UseCaseHarness, slug: Slug) -> None:
    first = await harness.issue_key(slug)
    second = await harness.issue_key(slug, grace_seconds=60)
    third = await harness.issue_key(slug)
    assert await valid_keys(harness, slug, first, second, third) == [third]
    assert set((await harness.load(slug)).secrets) == {AUTH_API_KEY}


async def test_first_key_replaces_no_key(harness: UseCaseHarness, slug: Slug) -> None:
    key = await harness.issue_key(slug, grace_seconds=60)
    assert await valid_keys(harness, slug, key) == [key]
    assert set((await harness.load(slug)).secrets) == {AUTH_API_KEY}


async def test_undecryptable_key_can_be_replaced(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.issue_key(slug)
    stored = await harness.load(slug)
    damaged = msgspec.structs.replace(stored.secrets[AUTH_API_KEY], sealed="v1.damaged")
    await harness.repo.save(msgspec.structs.replace(stored, secrets={AUTH_API_KEY: damaged}))
    key = await harness.issue_key(slug, grace_seconds=60)
    assert await valid_keys(harness, slug, key) == [key]
    assert set((await harness.load(slug)).secrets) == {AUTH_API_KEY}


async def test_other_secrets_stay(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_secret(slug, "one", "first")
    await harness.issue_key(slug)
    await harness.issue_key(slug, grace_seconds=60)
    assert harness.plaintext(await harness.load(slug), "one") == "first"


@pytest.mark.parametrize("seconds", [-1, MAX_GRACE_SECONDS + 1, 10**30])
async def test_out_of_range_overlap_period_is_refused(harness: UseCaseHarness, slug: Slug, seconds: int) -> None:
    with pytest.raises(InvalidInputError, match="0 to 2592000 seconds"):
        await harness.issue_key(slug, grace_seconds=seconds)
    assert (await harness.load(slug)).secrets == {}


async def test_given_key_is_stored_unchanged(harness: UseCaseHarness, slug: Slug) -> None:
    key = await harness.issue_key(slug, given="sk-of-our-own-choice")
    stored = await harness.load(slug)
    assert key.reveal() == harness.plaintext(stored, AUTH_API_KEY) == "sk-of-our-own-choice"
    assert stored.auth_enabled


@pytest.mark.parametrize("given", ["", "short", "two words of it", "x" * 513])
async def test_given_key_invalid_in_a_header_is_refused(harness: UseCaseHarness, slug: Slug, given: str) -> None:
    with pytest.raises(InvalidInputError):
        await harness.issue_key(slug, given=given)
    assert (await harness.load(slug)).secrets == {}
