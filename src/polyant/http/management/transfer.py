"""/api/instances/{slug}/export and /api/import: an instance as one document, without secret values."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta

from polyant.domain.catalog import Catalog
from polyant.domain.channel_content import ChannelContent, ExportedChannel
from polyant.domain.channels import (
    CHANNEL_NAME_PATTERN,
    AmbiguousSends,
    BurstPolicy,
    ChannelAccess,
    ChannelName,
    Delivery,
)
from polyant.domain.errors import InvalidInputError
from polyant.domain.instance_content import InstanceContent, content_of
from polyant.domain.instances import (
    DEFAULT_HISTORY_MESSAGES,
    DEFAULT_HISTORY_TOKENS,
    InstanceStatus,
    TranscriptReaders,
    parse_slug,
)
from polyant.domain.limits import TurnLimits
from polyant.domain.mcp_servers import MAX_MCP_SERVERS
from polyant.domain.prompts import SectionKey
from polyant.domain.secret_states import missing_secrets
from polyant.domain.skills import SkillContent
from polyant.domain.use_cases.export_channels import ExportChannels
from polyant.domain.use_cases.export_instance import ExportedInstance, ExportInstance
from polyant.domain.use_cases.import_instance import ImportInstance
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.channel_bodies import Users
from polyant.http.management.instances import (
    AdapterName,
    BaseUrl,
    Conversations,
    Description,
    HistoryMessageCount,
    HistoryTokenCount,
    InstanceOut,
    LimitsBody,
    Model,
    Name,
    Provider,
    SlugText,
    Temperature,
    Transcripts,
    instance_out,
)
from polyant.http.management.mcp_servers import McpServerBody, mcp_server_in
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.prompts import SectionBody, sections_of
from polyant.http.management.requests import ApiRequest
from polyant.http.management.skills import SkillBodies, skill_in, skill_out
from polyant.http.management.tools import ToolName
from polyant.http.management.wire import MAX_ITEMS, Body, ResponseBody, slug_in


class ChannelDocument(Body, frozen=True, kw_only=True):
    """The choices for a channel, without the account and its credentials."""

    channel: Annotated[str, Meta(pattern=CHANNEL_NAME_PATTERN.pattern, examples=["telegram"])]
    delivery: Delivery
    access: ChannelAccess
    users: Users = ()
    burst: BurstPolicy = BurstPolicy.COALESCE
    ambiguous_sends: AmbiguousSends = AmbiguousSends.RESEND
    options: Annotated[Mapping[str, str], Meta(description="Facts about the account that aren't secret")] = {}
    secrets: Annotated[tuple[str, ...], Meta(description="Names of the secrets that connecting sets again")] = ()


class InstanceDocument(Body, frozen=True, kw_only=True):
    """All data of an instance, except its id and the values of its secrets."""

    format: Literal["polyant.instance/1"]
    slug: SlugText
    name: Name
    description: Description = ""
    status: InstanceStatus = InstanceStatus.ACTIVE
    provider: Provider
    model: Model
    base_url: BaseUrl | None = None
    temperature: Temperature | None = None
    auth_enabled: bool = False
    conversations: Conversations = False
    history_tokens: HistoryTokenCount = DEFAULT_HISTORY_TOKENS
    history_messages: HistoryMessageCount = DEFAULT_HISTORY_MESSAGES
    transcripts: Transcripts = TranscriptReaders.SUPERADMINS
    image_input: bool = False
    limits: LimitsBody = LimitsBody()
    prompts: Annotated[tuple[SectionBody, ...], Meta(max_length=len(SectionKey))] = ()
    tools: Annotated[tuple[ToolName, ...], Meta(max_length=MAX_ITEMS)] = ()
    mcp_servers: Annotated[tuple[McpServerBody, ...], Meta(max_length=MAX_MCP_SERVERS)] = ()
    options: Annotated[
        Mapping[AdapterName, dict[str, Any]], Meta(description="Options of adapters, by adapter name")
    ] = {}
    skills: SkillBodies = ()
    channels: Annotated[tuple[ChannelDocument, ...], Meta(max_length=MAX_ITEMS)] = ()
    secrets: Annotated[
        tuple[str, ...], Meta(description="Names of the secrets stored when the instance was exported")
    ] = ()


class ImportResponse(ResponseBody, frozen=True, kw_only=True):
    """The imported instance."""

    instance: InstanceOut
    missing_secrets: Annotated[tuple[str, ...], Meta(description="Names of the secrets to store before it can work")]
    disconnected_channels: Annotated[
        tuple[str, ...],
        Meta(description="Channels to connect before they work: an import has no account", examples=[["telegram"]]),
    ]


_REPLACED = ResponseSpec(ImportResponse, description="The instance was overwritten", generate_examples=False)


class TransferController(Controller):
    """The export and import of instances."""

    path = "/"
    tags = ("Export and import",)

    @get("/instances/{slug:str}/export", summary="Export an instance", responses=read_errors(404))
    async def export(
        self,
        *,
        slug: FromPath[str],
        export_instance: NamedDependency[ExportInstance],
        export_channels: NamedDependency[ExportChannels],
    ) -> Response[InstanceDocument]:
        """Returns all data of the instance, except the values of its secrets, as a document for POST /api/import."""
        exported = await export_instance(slug_in(slug))
        channels = await export_channels(exported.instance)
        disposition = f'attachment; filename="{exported.instance.slug}.json"'
        headers = {"Content-Disposition": disposition, "ETag": etag_of(exported.instance.version)}
        return Response(document_of(exported, channels), headers=headers)

    @post("/import", summary="Import an instance", responses={200: _REPLACED, **write_errors(404, 409, 412)})
    async def import_document(
        self,
        *,
        request: ApiRequest,
        data: JSONBody[InstanceDocument],
        import_instance: NamedDependency[ImportInstance],
        catalog: NamedDependency[Catalog],
        list_channels: NamedDependency[ListChannels],
        overwrite: Annotated[
            bool, QueryParameter(name="overwrite", description="Whether to replace an existing instance")
        ] = False,
        if_match: IfMatch = None,
    ) -> Response[ImportResponse]:
        """Creates an instance from an exported document. Store its secrets afterwards: the document has no values.

        Channels are stored without an account: connect each with its credentials. An account stays with the instance
        that it is connected to.

        With `overwrite`, an existing instance is replaced but keeps its id, secrets and API key. With `overwrite` and
        `If-Match`, only that version is replaced, and no instance is created. The status is 201 for a new instance,
        else 200.
        """
        if if_match is not None and not overwrite:
            raise InvalidInputError("If-Match requires overwrite=true - at `If-Match`")
        instance = await import_instance(
            parse_slug(data.slug),
            content_in(data),
            by=request.auth.actor,
            skills=skills_in(data),
            channels=channels_in(data),
            unrestricted=request.auth.unrestricted,
            create=if_match is None,
            overwrite=overwrite,
            expected_versions=versions_in(if_match),
        )
        missing = missing_secrets(instance, catalog.providers, catalog.tools)
        channels = [each.channel for each in await list_channels(instance.slug) if not each.has_account]
        return Response(
            ImportResponse(
                instance=instance_out(instance), missing_secrets=missing, disconnected_channels=tuple(channels)
            ),
            status_code=201 if instance.version == 1 else 200,
            headers={"ETag": etag_of(instance.version)},
        )


def document_of(exported: ExportedInstance, channels: Sequence[ExportedChannel]) -> InstanceDocument:
    """Returns the document of an exported instance and its channels."""
    instance = exported.instance
    content = msgspec.structs.asdict(content_of(instance))
    sections = content.pop("sections")
    return InstanceDocument(
        format="polyant.instance/1",
        slug=instance.slug,
        skills=tuple(map(skill_out, exported.skills)),
        channels=tuple(map(_channel_out, channels)),
        secrets=tuple(sorted(instance.secrets)),
        prompts=tuple(SectionBody(key=key, content=sections[key]) for key in sorted(sections)),
        limits=LimitsBody(**msgspec.structs.asdict(content.pop("limits"))),
        mcp_servers=tuple(McpServerBody(**msgspec.structs.asdict(server)) for server in content.pop("mcp_servers")),
        **content,
    )


def _channel_out(channel: ExportedChannel) -> ChannelDocument:
    fields = msgspec.structs.asdict(channel.content)
    return ChannelDocument(**{**fields, "users": tuple(sorted(channel.content.users))}, secrets=channel.secrets)


def channels_in(document: InstanceDocument) -> tuple[ChannelContent, ...]:
    """Returns the channels in a document; the domain validates them."""
    return tuple(
        ChannelContent(
            channel=ChannelName(each.channel),
            delivery=each.delivery,
            access=each.access,
            users=frozenset(each.users),
            burst=each.burst,
            ambiguous_sends=each.ambiguous_sends,
            options=each.options,
        )
        for each in document.channels
    )


def skills_in(document: InstanceDocument) -> tuple[SkillContent, ...]:
    """Returns the skills in a document; the domain validates them."""
    return tuple(map(skill_in, document.skills))


def content_in(document: InstanceDocument) -> InstanceContent:
    """Returns the content of an instance in a document; the domain validates it."""
    kept = {name: getattr(document, name) for name in InstanceContent.__struct_fields__ if name != "sections"}
    limits = msgspec.structs.asdict(document.limits)
    return InstanceContent(
        **{
            **kept,
            "sections": sections_of(document.prompts),
            "limits": TurnLimits(**{name: value for name, value in limits.items() if value is not UNSET}),
            "mcp_servers": tuple(map(mcp_server_in, document.mcp_servers)),
        }
    )
