"""Use case: import an exported instance."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.audit import Actor, Change
from polyant.domain.base_urls import parse_base_url
from polyant.domain.channel_content import ChannelContent, check_contents
from polyant.domain.errors import InstanceExistsError
from polyant.domain.instance_content import InstanceContent
from polyant.domain.instances import Instance, InstanceId, Slug, check_instance
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.prompts import check_section, default_sections
from polyant.domain.skill_files import InstanceWithSkillFiles, pack_skills
from polyant.domain.skills import SkillContent, in_order
from polyant.domain.tools import parse_tool_name
from polyant.domain.transcripts import check_transcripts
from polyant.domain.use_cases.create_instance import find_provider
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.import_channels import ImportChannels


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
        outbound: OutboundPolicy,
        channels: ImportChannels,
    ) -> None:
        self._repo = repo
        self._edit = edit
        self._clock = clock
        self._tokens = tokens
        self._providers = providers
        self._adapter_options = adapter_options
        self._outbound = outbound
        self._channels = channels

    async def __call__(
        self,
        slug: Slug,
        content: InstanceContent,
        *,
        by: Actor,
        skills: Sequence[SkillContent] = (),
        channels: Sequence[ChannelContent] = (),
        unrestricted: bool = False,
        create: bool = True,
        overwrite: bool = False,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        """Returns the stored instance; an overwritten instance keeps its identity, its secrets and its accounts.

        New channels are stored without an account, disconnected: see ImportChannels.

        With `unrestricted`, the author may set addresses outside the public internet, and let users read transcripts.

        Raises:
            UnknownInstanceError: No instance has that slug, and `create` is false.
            InstanceChangedError: The instance has none of the expected versions.
            InstanceExistsError: The slug is taken, and `overwrite` is false.
            InvalidInputError: A value is invalid, the provider is unknown, an adapter rejects its options, or the
                author may not set one of the addresses or the readers of transcripts.
        """
        check_contents(channels)
        stored = await self._stored(
            slug,
            content,
            skills,
            by=by,
            unrestricted=unrestricted,
            create=create,
            overwrite=overwrite,
            expected_versions=expected_versions,
        )
        await self._channels(stored, channels, by=by)
        return stored

    async def _stored(
        self,
        slug: Slug,
        content: InstanceContent,
        skills: Sequence[SkillContent],
        *,
        by: Actor,
        unrestricted: bool,
        create: bool,
        overwrite: bool,
        expected_versions: Collection[int] | None,
    ) -> Instance:
        fields, change = self._checked(content), Change(by, "instance.import")
        pack_skills(InstanceId(""), skills)  # invalid ones are refused before anything is read
        # An instance that will be overwritten isn't added first: the approvals of its addresses may permit the change.
        if create and not (overwrite and await self._repo.get(slug)):
            try:
                return await self._add(slug, fields, skills, change, unrestricted=unrestricted)
            except InstanceExistsError:
                if not overwrite:
                    raise

        def replace(stored: Instance, _: datetime) -> InstanceWithSkillFiles:
            imported = _with_skills(msgspec.structs.replace(stored, **fields), skills)
            check_transcripts(imported.instance, stored, unrestricted=unrestricted)
            approved = self._approved(imported.instance, stored, unrestricted=unrestricted)
            return msgspec.structs.replace(imported, instance=approved)

        return await self._edit(slug, replace, change, expected_versions=expected_versions)

    async def _add(
        self,
        slug: Slug,
        fields: Mapping[str, Any],
        skills: Sequence[SkillContent],
        change: Change,
        *,
        unrestricted: bool,
    ) -> Instance:
        now = self._clock.now()
        instance = Instance(id=self._tokens.instance_id(), slug=slug, created_at=now, updated_at=now, **fields)
        check_transcripts(instance, None, unrestricted=unrestricted)
        imported = _with_skills(instance, skills)
        approved = self._approved(imported.instance, instance, unrestricted=unrestricted)
        audit = change.entry(now, instance=slug)
        return await self._repo.add(approved, audit=audit, skill_files=imported.skill_files)

    def _approved(self, imported: Instance, before: Instance, *, unrestricted: bool) -> Instance:
        given = check_instance(imported).addresses
        return self._outbound.approved(imported, given, unrestricted=unrestricted, before=before)

    def _checked(self, content: InstanceContent) -> dict[str, Any]:
        find_provider(self._providers, content.provider)
        self._adapter_options.check(content.options)
        sections = default_sections(content.name) | dict(content.sections)
        return {
            **msgspec.structs.asdict(content),
            "base_url": None if content.base_url is None else parse_base_url(content.base_url),
            "sections": {key: check_section(key, text) for key, text in sections.items()},
            "tools": tuple(dict.fromkeys(map(parse_tool_name, content.tools))),
        }


def _with_skills(instance: Instance, contents: Sequence[SkillContent]) -> InstanceWithSkillFiles:
    """Returns the instance with these skills in place of its own."""
    skills, files = pack_skills(instance.id, contents)
    changed = msgspec.structs.replace(instance, skills=in_order(skills))
    return InstanceWithSkillFiles(instance=changed, skill_files=files)
