import pytest

from polyant.domain.access import authorise
from polyant.domain.errors import AuthenticationError, NotFoundError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.secrets import AUTH_API_KEY, SecretName
from polyant.domain.use_cases.delete_secret import DeleteSecret
from support.backstage import Backstage


async def test_only_that_secret_goes(backstage: Backstage, slug: Slug) -> None:
    await backstage.set_secret(slug, "one", "first")
    await backstage.set_secret(slug, "two", "second")
    after = await DeleteSecret(edit=backstage.edit)(slug, SecretName("one"))
    assert set(after.secrets) == {"two"}
    assert await backstage.stored(slug) == after


async def test_instance_without_its_key_is_closed_not_open(backstage: Backstage, slug: Slug) -> None:
    key = await backstage.issue_key(slug)
    after = await DeleteSecret(edit=backstage.edit)(slug, AUTH_API_KEY)
    assert after.auth_enabled
    with pytest.raises(AuthenticationError, match="no API key configured"):
        authorise(after, key, backstage.cipher)


async def test_secret_that_is_not_there_is_not_found(backstage: Backstage, slug: Slug) -> None:
    with pytest.raises(NotFoundError, match="'support-bot' has no secret one"):
        await DeleteSecret(edit=backstage.edit)(slug, SecretName("one"))


async def test_unknown_instance_is_not_found(backstage: Backstage) -> None:
    with pytest.raises(UnknownInstanceError):
        await DeleteSecret(edit=backstage.edit)(Slug("nobody"), SecretName("one"))
