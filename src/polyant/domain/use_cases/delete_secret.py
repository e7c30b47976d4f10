"""Use case: remove a secret of an instance."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import NotFoundError
from polyant.domain.instances import Instance, Slug
from polyant.domain.secrets import AUTH_API_KEY, CALLER_KEYS, SecretName
from polyant.domain.use_cases.edit_instance import EditInstance


class DeleteSecret:
    """Removes a stored secret.

    With the API key goes the one before it. Auth stays as it is, so that the instance is closed, not open.
    """

    def __init__(self, *, edit: EditInstance) -> None:
        self._edit = edit

    async def __call__(
        self, slug: Slug, name: SecretName, *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> Instance:
        """Returns the instance without the secret.

        Raises:
            UnknownInstanceError: There is no instance with that slug.
            NotFoundError: It has no such secret.
            InstanceChangedError: It has none of the expected versions.
        """

        def remove(instance: Instance, _: datetime) -> Instance:
            if name not in instance.secrets:
                raise NotFoundError(f"Instance '{slug}' has no secret {name}")
            gone = CALLER_KEYS if name == AUTH_API_KEY else (name,)
            kept = {key: value for key, value in instance.secrets.items() if key not in gone}
            return msgspec.structs.replace(instance, secrets=kept)

        change = Change(by, "key.revoke") if name == AUTH_API_KEY else Change(by, "secret.delete", (name,))
        return await self._edit(slug, remove, change, expected_versions=expected_versions)
