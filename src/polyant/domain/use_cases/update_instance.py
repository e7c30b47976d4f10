"""Use case: change the fields of an instance."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.audit import Actor, Change
from polyant.domain.base_urls import parse_base_url
from polyant.domain.errors import InvalidInputError
from polyant.domain.injectables import ToolNames
from polyant.domain.instances import Instance, InstanceStatus, JsonObject, Slug, TranscriptReaders, check_instance
from polyant.domain.limits import TurnLimits
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.transcripts import check_transcripts
from polyant.domain.use_cases.create_instance import find_provider
from polyant.domain.use_cases.edit_instance import EditInstance


class InstancePatch(msgspec.Struct, frozen=True, kw_only=True):
    """The fields to change; unset fields keep their values."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    status: InstanceStatus | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    base_url: str | UnsetType | None = UNSET
    temperature: float | UnsetType | None = UNSET
    auth_enabled: bool | UnsetType = UNSET
    conversations: bool | UnsetType = UNSET
    history_tokens: int | UnsetType = UNSET
    history_messages: int | UnsetType = UNSET
    transcripts: TranscriptReaders | UnsetType = UNSET
    image_input: bool | UnsetType = UNSET
    tools: tuple[str, ...] | UnsetType = UNSET
    max_steps: int | UnsetType | None = UNSET
    max_tool_calls: int | UnsetType | None = UNSET
    turn_seconds: float | UnsetType | None = UNSET
    tool_seconds: float | UnsetType | None = UNSET

    options: Mapping[str, JsonObject | None] | UnsetType = UNSET
    """The options to replace, by adapter; None removes an adapter's options, and other adapters keep theirs."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields to change."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) is not UNSET)

    @property
    def audit_details(self) -> tuple[str, ...]:
        """The names for the audit trail, with options listed per adapter."""
        fields = tuple(name for name in self.names if name != "options")
        return fields if self.options is UNSET else (*fields, *(f"options.{name}" for name in self.options))


class UpdateInstance:
    """Applies a patch to a stored instance.

    Args:
        edit: Stores the change.
        providers: The enabled providers, by name.
        tools: The names of the tools that instances may use.
        adapter_options: Validates options.
        outbound: Decides who may set a base URL.
    """

    def __init__(
        self,
        *,
        edit: EditInstance,
        providers: Mapping[str, ProviderInfo],
        tools: ToolNames,
        adapter_options: AdapterOptions,
        outbound: OutboundPolicy,
    ) -> None:
        self._edit = edit
        self._providers = providers
        self._tools = tools
        self._adapter_options = adapter_options
        self._outbound = outbound

    async def __call__(
        self,
        slug: Slug,
        patch: InstancePatch,
        *,
        by: Actor,
        unrestricted: bool = False,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        """Returns the stored instance.

        Changing the provider without a model sets that provider's default model. Changing it without a base URL resets
        the base URL: the key of one provider would be bound to the address of another.

        With `unrestricted`, the author may set a base URL outside the public internet, and let users read transcripts.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InstanceChangedError: The instance has none of the expected versions.
            InvalidInputError: A value is invalid, auth is turned on without a key, an adapter rejects its options, a
                tool is neither installed nor already enabled for the instance, or the author may not set the base URL
                or the readers of transcripts.
        """

        def apply(instance: Instance, _: datetime) -> Instance:
            changes = {name: getattr(patch, name) for name in patch.names}
            if "provider" in changes:
                info = find_provider(self._providers, changes["provider"])
                if info.name != instance.provider:
                    changes.setdefault("model", info.default_model)
                    changes.setdefault("base_url", None)
            if changes.get("base_url"):
                changes["base_url"] = parse_base_url(changes["base_url"])
            if changes.get("auth_enabled") and not instance.auth_enabled and not instance.has_auth_key:
                raise InvalidInputError("auth can't be enabled without an API key: issue or set one first")
            if "tools" in changes:
                changes["tools"] = self._known_tools(instance, changes["tools"])
            if "options" in changes:
                changes["options"] = self._merged_options(instance, changes["options"])
            new_limits = {name: changes.pop(name) for name in TurnLimits.__struct_fields__ if name in changes}
            limits = msgspec.structs.replace(instance.limits, **new_limits)
            changed = check_instance(msgspec.structs.replace(instance, limits=limits, **changes))
            check_transcripts(changed, instance, unrestricted=unrestricted)
            given = (changes.get("base_url") or "",)
            return self._outbound.approved(changed, given, unrestricted=unrestricted, before=instance)

        change = Change(by, "instance.update", patch.audit_details)
        return await self._edit(slug, apply, change, expected_versions=expected_versions)

    def _merged_options(self, instance: Instance, given: Mapping[str, JsonObject | None]) -> Mapping[str, JsonObject]:
        """Returns the instance's options after replacing and removing those of the given adapters."""
        removed = {name for name, value in given.items() if value is None}
        replaced = {name: value for name, value in given.items() if value is not None}
        self._adapter_options.check(replaced)
        for name in removed - instance.options.keys():
            self._adapter_options.struct_of(name)  # rejects a typo in the name of an adapter to remove
        merged = {**instance.options, **replaced}
        return {name: value for name, value in merged.items() if name not in removed}

    def _known_tools(self, instance: Instance, names: tuple[str, ...]) -> tuple[str, ...]:
        """Returns the names without duplicates."""
        unknown = [name for name in names if name not in self._tools and name not in instance.tools]
        if unknown:
            raise InvalidInputError(f"Unknown tool '{unknown[0]}'; available: {', '.join(self._tools) or 'none'}")
        return tuple(dict.fromkeys(names))
