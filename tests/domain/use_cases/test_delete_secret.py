import pytest

from polyant.domain.access import authorise
from polyant.domain.errors import AuthenticationError, NotFoundError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretName
from support.backstage import Backstage


async def test_only_that_secret_goes(backstage: Backstage, slug: Slug) -> None:
    await backstage.set_secret(slug, "one", "first")
    await backstage.set_secret(slug, "two", "second")
    after = await backstage.delete_secret(slug, SecretName("one"))
    assert set(after.secrets) == {"two"}
    assert await backstage.stored(slug) == after


async def test_instance_without_its_key_is_closed_not_open(backstage: Backstage, slug: Slug) -> None:
    key = await backstage.issue_key(slug)
    after = await backstage.delete_secret(slug, AUTH_API_KEY)
    assert after.auth_enabled
    with pytest.raises(AuthenticationError, match="no API key configured"):
        await authorise(after, key, backstage.cipher, backstage.clock.now())


async def test_with_the_key_goes_the_one_before(backstage: Backstage, slug: Slug) -> None:
    await backstage.set_secret(slug, "one", "first")
    await backstage.issue_key(slug)
    await backstage.issue_key(slug, grace_seconds=60)
    assert set((await backstage.delete_secret(slug, AUTH_API_KEY)).secrets) == {"one"}


async def test_the_key_before_can_go_alone(backstage: Backstage, slug: Slug) -> None:
    await backstage.issue_key(slug)
    await backstage.issue_key(slug, grace_seconds=60)
    assert set((await backstage.delete_secret(slug, PREVIOUS_AUTH_API_KEY)).secrets) == {AUTH_API_KEY}


async def test_secret_that_is_not_there_is_not_found(backstage: Backstage, slug: Slug) -> None:
    with pytest.raises(NotFoundError, match="'support-bot' has no secret one"):
        await backstage.delete_secret(slug, SecretName("one"))


async def test_unknown_instance_is_not_found(backstage: Backstage) -> None:
    with pytest.raises(UnknownInstanceError):
        await backstage.delete_secret(Slug("nobody"), SecretName("one"))
