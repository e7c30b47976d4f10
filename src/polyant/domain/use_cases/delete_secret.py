"""Use case: remove a secret of an instance."""

from datetime import datetime

import msgspec

from polyant.domain.errors import NotFoundError
from polyant.domain.instances import Instance, Slug
from polyant.domain.secrets import SecretName
from polyant.domain.use_cases.edit_instance import EditInstance


class DeleteSecret:
    """Removes a stored secret; removing the API key leaves auth as it is, so that the instance is closed, not open."""

    def __init__(self, *, edit: EditInstance) -> None:
        self._edit = edit

    async def __call__(self, slug: Slug, name: SecretName) -> Instance:
        """Returns the instance without the secret.

        Raises:
            UnknownInstanceError: There is no instance with that slug.
            NotFoundError: It has no such secret.
        """

        def remove(instance: Instance, _: datetime) -> Instance:
            if name not in instance.secrets:
                raise NotFoundError(f"Instance '{slug}' has no secret {name}")
            kept = {key: value for key, value in instance.secrets.items() if key != name}
            return msgspec.structs.replace(instance, secrets=kept)

        return await self._edit(slug, remove)
