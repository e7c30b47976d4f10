"""Use case: change the fields of an instance."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance, InstanceStatus, Slug, parse_base_url
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.use_cases.create_instance import find_provider
from polyant.domain.use_cases.edit_instance import EditInstance


class InstancePatch(msgspec.Struct, frozen=True, kw_only=True):
    """The fields to change; what is unset stays as it is."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    status: InstanceStatus | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    base_url: str | UnsetType | None = UNSET
    temperature: float | UnsetType | None = UNSET
    auth_enabled: bool | UnsetType = UNSET


class UpdateInstance:
    """Applies a patch to a stored instance."""

    def __init__(self, *, edit: EditInstance, providers: Mapping[str, ProviderInfo]) -> None:
        self._edit = edit
        self._providers = providers

    async def __call__(self, slug: Slug, patch: InstancePatch, *, expected_version: int | None = None) -> Instance:
        """Returns the instance as stored; a new provider without a model brings its default model along.

        Raises:
            UnknownInstanceError: There is none with that slug.
            InstanceChangedError: It doesn't have the expected version.
            InvalidInputError: A value breaks its rule, or auth is turned on without a key.
        """

        def apply(instance: Instance, _: datetime) -> Instance:
            changes = {name: value for name in patch.__struct_fields__ if (value := getattr(patch, name)) is not UNSET}
            if "provider" in changes:
                info = find_provider(self._providers, changes["provider"])
                if info.name != instance.provider:
                    changes.setdefault("model", info.default_model)
            if changes.get("base_url"):
                changes["base_url"] = parse_base_url(changes["base_url"])
            if changes.get("auth_enabled") and not instance.auth_enabled and not instance.has_auth_key:
                raise InvalidInputError("auth can't be enabled without an API key: issue or set one first")
            return msgspec.structs.replace(instance, **changes)

        return await self._edit(slug, apply, expected_version=expected_version)
