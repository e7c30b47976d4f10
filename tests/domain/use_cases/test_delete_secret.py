import pytest

from polyant.domain.access import authorise
from polyant.domain.errors import AuthenticationError, NotFoundError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretName
from support.harness import UseCaseHarness


async def test_only_the_named_secret_is_deleted(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_secret(slug, "one", "first")
    await harness.set_secret(slug, "two", "second")
    after = await harness.delete_secret(slug, SecretName("one"))
    assert set(after.secrets) == {"two"}
    assert await harness.load(slug) == after


async def test_deleting_the_key_closes_the_instance(harness: UseCaseHarness, slug: Slug) -> None:
    key = await harness.issue_key(slug)
    after = await harness.delete_secret(slug, AUTH_API_KEY)
    assert after.auth_enabled
    with pytest.raises(AuthenticationError, match="no API key configured"):
        await authorise(after, key, harness.cipher, harness.clock.now())


async def test_deleting_the_key_deletes_the_previous_one(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_secret(slug, "one", "first")
    await harness.issue_key(slug)
    await harness.issue_key(slug, grace_seconds=60)
    assert set((await harness.delete_secret(slug, AUTH_API_KEY)).secrets) == {"one"}


async def test_previous_key_can_be_deleted_separately(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.issue_key(slug)
    await harness.issue_key(slug, grace_seconds=60)
    assert set((await harness.delete_secret(slug, PREVIOUS_AUTH_API_KEY)).secrets) == {AUTH_API_KEY}


async def test_missing_secret_is_not_found(harness: UseCaseHarness, slug: Slug) -> None:
    with pytest.raises(NotFoundError, match="'support-bot' has no secret one"):
        await harness.delete_secret(slug, SecretName("one"))


async def test_unknown_instance_is_not_found(harness: UseCaseHarness) -> None:
    with pytest.raises(UnknownInstanceError):
        await harness.delete_secret(Slug("nobody"), SecretName("one"))
