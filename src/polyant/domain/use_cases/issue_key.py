"""Use case: issue an API key."""

from datetime import datetime

import msgspec

from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.secrets import AUTH_API_KEY, SecretText
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.set_secret import seal, with_secret


class IssueKey:
    """Makes a fresh API key for an instance, in place of an earlier one, and turns auth on."""

    def __init__(self, *, edit: EditInstance, cipher: SecretCipher, tokens: TokenSource) -> None:
        self._edit = edit
        self._cipher = cipher
        self._tokens = tokens

    async def __call__(self, slug: Slug, *, keep_open: bool = False) -> SecretText:
        """Returns the key, which can't be read again; with `keep_open` auth stays as it is.

        Raises:
            UnknownInstanceError: There is no instance with that slug.
        """
        key = self._tokens.api_key()

        def store(instance: Instance, now: datetime) -> Instance:
            sealed = seal(self._cipher, instance, AUTH_API_KEY, key, now=now)
            enabled = instance.auth_enabled or not keep_open
            return msgspec.structs.replace(with_secret(instance, sealed), auth_enabled=enabled)

        await self._edit(slug, store)
        return key
