"""Use case: save an earlier state of an instance again."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.audit import Actor, Change
from polyant.domain.base_urls import parse_base_url
from polyant.domain.instance_states import StateContent, UnknownStateError, state_content_of, with_content
from polyant.domain.instances import Instance, Slug, check_instance
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.instance_history import InstanceHistory
from polyant.domain.prompts import check_section
from polyant.domain.use_cases.create_instance import find_provider
from polyant.domain.use_cases.edit_instance import EditInstance


class RestoreState:
    """Saves the prompts and settings of an earlier state; access, status, tools, MCP servers and secrets stay.

    It is a save like any other: the state that it replaces is added to the history.

    Args:
        edit: Stores the change.
        history: The earlier states.
        providers: The enabled providers, by name.
        adapter_options: Validates options that differ.
        outbound: Decides who may set a base URL that differs.
    """

    def __init__(
        self,
        *,
        edit: EditInstance,
        history: InstanceHistory,
        providers: Mapping[str, ProviderInfo],
        adapter_options: AdapterOptions,
        outbound: OutboundPolicy,
    ) -> None:
        self._edit = edit
        self._history = history
        self._providers = providers
        self._adapter_options = adapter_options
        self._outbound = outbound

    async def __call__(
        self,
        slug: Slug,
        number: int,
        *,
        by: Actor,
        unrestricted: bool = False,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        """Returns the stored instance.

        With `unrestricted`, the author may set a base URL outside the public internet.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownStateError: The history of the instance has no state with that number.
            InstanceChangedError: The instance has none of the expected versions.
            InvalidInputError: A value is no longer valid: the provider isn't enabled, an adapter rejects its options,
                or the author may not set the base URL.
        """

        async def restore(instance: Instance, _: datetime) -> Instance:
            state = await self._history.get(instance.id, number)
            if state is None:
                raise UnknownStateError(number)
            return self._restored(instance, state.content, unrestricted=unrestricted)

        change = Change(by, "instance.restore", (str(number),))
        return await self._edit(slug, restore, change, expected_versions=expected_versions)

    def _restored(self, instance: Instance, content: StateContent, *, unrestricted: bool) -> Instance:
        """Returns the instance with the content; what doesn't differ isn't checked, as in an update."""
        present = state_content_of(instance)
        if content.provider != present.provider:
            find_provider(self._providers, content.provider)
        options = {name: given for name, given in content.options.items() if given != present.options.get(name)}
        self._adapter_options.check(options)
        for key, text in content.sections.items():
            check_section(key, text)
        given: tuple[str, ...] = ()
        if content.base_url is not None and content.base_url != present.base_url:
            given = (parse_base_url(content.base_url),)
            content = msgspec.structs.replace(content, base_url=given[0])
        restored = check_instance(with_content(instance, content))
        return self._outbound.approved(restored, given, unrestricted=unrestricted, before=instance)
