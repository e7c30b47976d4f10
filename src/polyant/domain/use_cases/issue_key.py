"""Use case: issue an API key."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.secrets import AUTH_API_KEY, SecretText, parse_secret_value
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.set_secret import check_overlap, with_auth_key


class IssueKey:
    """Sets a generated or given API key for an instance, replacing the current one, and turns auth on.

    The replaced key remains valid for the overlap period; an older previous key stops working immediately.
    """

    def __init__(self, *, edit: EditInstance, cipher: SecretCipher, tokens: TokenSource) -> None:
        self._edit = edit
        self._cipher = cipher
        self._tokens = tokens

    async def __call__(
        self,
        slug: Slug,
        *,
        by: Actor,
        given: str | None = None,
        keep_open: bool = False,
        grace_seconds: int = 0,
        expected_versions: Collection[int] | None = None,
    ) -> SecretText:
        """Returns the key, which can't be read again.

        Args:
            slug: The instance.
            by: The author of the change.
            given: The key to set; None generates one.
            keep_open: Leaves auth unchanged instead of turning it on.
            grace_seconds: The overlap period.
            expected_versions: The versions of the instance that may be changed; None allows any.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InstanceChangedError: The instance has none of the expected versions.
            InvalidInputError: The overlap period is out of bounds, or the given key isn't a valid header value.
        """
        overlap = check_overlap(grace_seconds)
        key = self._tokens.api_key() if given is None else parse_secret_value(AUTH_API_KEY, given)

        async def store(instance: Instance, now: datetime) -> Instance:
            enabled = instance.auth_enabled or not keep_open
            rotated = await with_auth_key(self._cipher, instance, key, now=now, overlap=overlap)
            return msgspec.structs.replace(rotated, auth_enabled=enabled)

        change = Change(by, "key.issue" if given is None else "key.set")
        await self._edit(slug, store, change, expected_versions=expected_versions)
        return key
