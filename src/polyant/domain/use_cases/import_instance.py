"""Use case: import an exported instance."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.audit import Actor, Change
from polyant.domain.errors import InstanceExistsError
from polyant.domain.instance_content import InstanceContent
from polyant.domain.instances import Instance, Slug, check_instance
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.prompts import check_section, default_sections
from polyant.domain.tools import parse_tool_name
from polyant.domain.use_cases.create_instance import find_provider
from polyant.domain.use_cases.edit_instance import EditInstance


class ImportInstance:
    """Stores an instance with the imported content; missing sections get their defaults.

    The content never includes secrets. Auth therefore stays on without a key, so that the instance doesn't become
    public. Tools that aren't installed here are kept, as they are after an uninstallation.
    """

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        edit: EditInstance,
        clock: Clock,
        tokens: TokenSource,
        providers: Mapping[str, ProviderInfo],
        adapter_options: AdapterOptions,
    ) -> None:
        self._repo = repo
        self._edit = edit
        self._clock = clock
        self._tokens = tokens
        self._providers = providers
        self._adapter_options = adapter_options

    async def __call__(
        self,
        slug: Slug,
        content: InstanceContent,
        *,
        by: Actor,
        create: bool = True,
        overwrite: bool = False,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        """Returns the stored instance; an overwritten instance keeps its identity and its secrets.

        Raises:
            UnknownInstanceError: No instance has that slug, and `create` is false.
            InstanceChangedError: The instance has none of the expected versions.
            InstanceExistsError: The slug is taken, and `overwrite` is false.
            InvalidInputError: A value is invalid, the provider is unknown, or an adapter rejects its options.
        """
        fields, change = self._checked(content), Change(by, "instance.import")
        if create:
            try:
                return await self._add(slug, fields, change)
            except InstanceExistsError:
                if not overwrite:
                    raise

        def replace(stored: Instance, _: datetime) -> Instance:
            return msgspec.structs.replace(stored, **fields)

        return await self._edit(slug, replace, change, expected_versions=expected_versions)

    async def _add(self, slug: Slug, fields: Mapping[str, Any], change: Change) -> Instance:
        now = self._clock.now()
        instance = Instance(id=self._tokens.instance_id(), slug=slug, created_at=now, updated_at=now, **fields)
        return await self._repo.add(check_instance(instance), audit=change.entry(now, instance=slug))

    def _checked(self, content: InstanceContent) -> dict[str, Any]:
        find_provider(self._providers, content.provider)
        self._adapter_options.check(content.options)
        sections = default_sections(content.name) | dict(content.sections)
        return {
            **msgspec.structs.asdict(content),
            "sections": {key: check_section(key, text) for key, text in sections.items()},
            "tools": tuple(dict.fromkeys(map(parse_tool_name, content.tools))),
        }
