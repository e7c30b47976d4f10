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
    """Deletes a stored secret.

    Deleting the API key also deletes the previous one. Auth stays on, so that the instance doesn't become public.
    """

    def __init__(self, *, edit: EditInstance) -> None:
        self._edit = edit

    async def __call__(
        self, slug: Slug, name: SecretName, *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> Instance:
        """Returns the instance without the secret.

        Raises:
            UnknownInstanceError: No instance has that slug.
            NotFoundError: The instance has no such secret.
            InstanceChangedError: The instance has none of the expected versions.
        """

        def remove(instance: Instance, _: datetime) -> Instance:
            if name not in instance.secrets:
                raise NotFoundError(f"Instance '{slug}' has no secret {name}")
            removed = CALLER_KEYS if name == AUTH_API_KEY else (name,)
            kept = {key: value for key, value in instance.secrets.items() if key not in removed}
            return msgspec.structs.replace(instance, secrets=kept)

        change = Change(by, "key.revoke") if name == AUTH_API_KEY else Change(by, "secret.delete", (name,))
        return await self._edit(slug, remove, change, expected_versions=expected_versions)
