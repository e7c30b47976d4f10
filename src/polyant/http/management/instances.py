"""/api/instances: list, create, show, change and delete instances."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from polyant.domain.base_urls import correction_of
from polyant.domain.catalog import Catalog
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import (
    CONTROL_CHARACTERS,
    MAX_DESCRIPTION_CHARACTERS,
    MAX_MODEL_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_SLUG_CHARACTERS,
    MAX_TEMPERATURE,
    SLUG_PATTERN,
    HistoryMessages,
    HistoryTokens,
    Instance,
    InstanceQuery,
    InstanceStatus,
    InstanceSummary,
    TranscriptReaders,
)
from polyant.domain.limits import LimitSeconds, MaxSteps, MaxToolCalls
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.provider_keys import address_of, moved_key
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.delete_instance import DeleteInstance
from polyant.domain.use_cases.list_instances import ListInstances
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.prompts import Sections, sections_of
from polyant.http.management.requests import ApiRequest
from polyant.http.management.secrets import Secrets, secret_values
from polyant.http.management.wire import (
    Body,
    Deleted,
    Page,
    Paging,
    ResponseBody,
    Search,
    Timestamp,
    pattern_schema,
    slug_in,
)

# Patterns are `extra_json_schema`: the schema describes them, and the domain enforces them with clearer messages.
_ANY = f"[^{CONTROL_CHARACTERS}]*"
_TEXT = f"^{_ANY}$"
_TEXT_WITH_SOMETHING_IN_IT = rf"^{_ANY}[^\s{CONTROL_CHARACTERS}]{_ANY}$"

SlugText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_SLUG_CHARACTERS,
        extra_json_schema=pattern_schema(SLUG_PATTERN),
        description="Unique name; clients send it as `model`",
        examples=["support-bot"],
    ),
]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME_CHARACTERS,
        extra_json_schema={"pattern": _TEXT_WITH_SOMETHING_IN_IT},
        description="Display name",
        examples=["Support Bot"],
    ),
]
Description = Annotated[
    str,
    Meta(
        max_length=MAX_DESCRIPTION_CHARACTERS,
        extra_json_schema={"pattern": _TEXT},
        description="Purpose of the instance",
        examples=["Answers customers"],
    ),
]
Provider = Annotated[str, Meta(description="Model provider, see /api/providers", examples=["scripted", "openai"])]
Model = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_MODEL_CHARACTERS,
        extra_json_schema={"pattern": _TEXT_WITH_SOMETHING_IN_IT},
        description="Model name, as the provider calls it",
        examples=["demo", "gpt-5-mini"],
    ),
]
BaseUrl = Annotated[
    str,
    Meta(
        description="Base URL of the provider, without user, query and fragment; null to use the provider's own",
        examples=["http://localhost:11434/v1"],
    ),
]
Temperature = Annotated[
    float,
    Meta(
        ge=0,
        le=MAX_TEMPERATURE,
        description="Sampling temperature; null to use the provider's default",
        examples=[0.7],
    ),
]


Conversations = Annotated[
    bool,
    Meta(description="Whether requests with a `chat_id` continue a stored conversation; requires `authEnabled`"),
]
HistoryTokenCount = Annotated[
    HistoryTokens, Meta(description="Estimated tokens of stored messages in a model call", examples=[8000])
]
HistoryMessageCount = Annotated[
    HistoryMessages, Meta(description="Number of stored messages in a model call", examples=[100])
]
Transcripts = Annotated[
    TranscriptReaders,
    Meta(description="Who may read the texts of conversations, besides superadmins; only they can set `users`"),
]
AdapterName = Annotated[str, Meta(examples=["openai"])]


class LimitsOut(ResponseBody, frozen=True, kw_only=True):
    """Limits for the turns of an instance; null means the server's limit."""

    max_steps: Annotated[int | None, Meta(description="Maximum model calls per turn")]
    max_tool_calls: Annotated[int | None, Meta(description="Maximum tool calls per turn")]
    turn_seconds: Annotated[float | None, Meta(description="Maximum seconds per turn")]
    tool_seconds: Annotated[float | None, Meta(description="Maximum seconds per tool call")]


class InstanceOut(ResponseBody, frozen=True, kw_only=True):
    """An instance."""

    id: Annotated[str, Meta(examples=["9c1d5e0f6a7b4c3d8e2f1a0b9c8d7e6f"])]
    slug: SlugText
    name: Name
    description: Description
    status: InstanceStatus
    provider: Provider
    model: Model
    base_url: BaseUrl | None
    temperature: Temperature | None
    auth_enabled: Annotated[bool, Meta(description="Whether clients must send the instance's API key")]
    has_auth_key: Annotated[bool, Meta(description="Whether an API key is stored")]
    conversations: Conversations
    history_tokens: HistoryTokenCount
    history_messages: HistoryMessageCount
    transcripts: Transcripts
    image_input: Annotated[bool, Meta(description="Whether messages may contain images")]
    limits: LimitsOut
    options: Annotated[dict[AdapterName, dict[str, Any]], Meta(description="Options of adapters, by adapter name")]
    created_at: Timestamp
    updated_at: Timestamp


class InstanceResponse(ResponseBody, frozen=True, kw_only=True):
    """One instance, and what an operator should know about it."""

    instance: InstanceOut
    address: Annotated[
        str | None,
        Meta(
            description="Address that model calls go to: the base URL, or else the provider's own address. Null if the "
            "provider is not enabled",
            examples=["https://api.openai.com/v1"],
        ),
    ]
    notices: Annotated[tuple[str, ...], Meta(description="Corrections of the request, and keys to enter again")]


class InstanceList(Page, frozen=True):
    """A page of instances."""

    instances: tuple[InstanceOut, ...]


class CreateInstanceBody(Body, frozen=True, kw_only=True):
    """The instance to create."""

    slug: SlugText
    name: Name
    description: Description = ""
    provider: Provider = "scripted"
    model: Model | None = None
    base_url: BaseUrl | None = None
    temperature: Temperature | None = None
    sections: Annotated[Sections, Meta(description="Sections of the system prompt that replace default ones")] = ()
    secrets: Secrets = ()
    issue_key: Annotated[bool, Meta(description="Generate an API key and require it of clients")] = False


class CreatedInstanceResponse(InstanceResponse, frozen=True, kw_only=True):
    """The new instance, and its generated API key."""

    key: Annotated[str | None, Meta(description="The generated API key, which is not shown again; null without one")]


class LimitsBody(Body, frozen=True, kw_only=True):
    """The limits to change; null to use the server's limit."""

    max_steps: MaxSteps | UnsetType | None = UNSET
    max_tool_calls: MaxToolCalls | UnsetType | None = UNSET
    turn_seconds: LimitSeconds | UnsetType | None = UNSET
    tool_seconds: LimitSeconds | UnsetType | None = UNSET


class PatchInstanceBody(Body, frozen=True, kw_only=True):
    """The fields to change; omitted fields keep their values."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    status: InstanceStatus | UnsetType = UNSET
    provider: Provider | UnsetType = UNSET
    model: Model | UnsetType = UNSET
    base_url: BaseUrl | UnsetType | None = UNSET
    temperature: Temperature | UnsetType | None = UNSET
    auth_enabled: bool | UnsetType = UNSET
    conversations: Conversations | UnsetType = UNSET
    history_tokens: HistoryTokenCount | UnsetType = UNSET
    history_messages: HistoryMessageCount | UnsetType = UNSET
    transcripts: Transcripts | UnsetType = UNSET
    image_input: bool | UnsetType = UNSET
    limits: LimitsBody | UnsetType = UNSET
    options: (
        Annotated[
            dict[AdapterName, dict[str, Any] | None],
            Meta(
                description="Options to replace, by adapter name; null removes an adapter's options, and omitted "
                "adapters keep theirs"
            ),
        ]
        | UnsetType
    ) = UNSET


class InstancesController(Controller):
    """The instances."""

    path = "/instances"
    tags = ("Instances",)

    @get(summary="List instances", responses=read_errors())
    async def list_all(
        self,
        *,
        list_instances: NamedDependency[ListInstances],
        paging: NamedDependency[Paging],
        search: Search = "",
        status: Annotated[
            str | None,
            QueryParameter(
                name="status",
                description="Return only instances with this status",
                schema_extra={"enum": list(InstanceStatus)},
            ),
        ] = None,
    ) -> InstanceList:
        """Returns instances, oldest first. `search` matches part of the slug, name or description."""
        query = InstanceQuery(status=_status_in(status), search=search, limit=paging.limit, offset=paging.offset)
        page = await list_instances(query)
        return InstanceList(tuple(map(instance_out, page.instances)), **paging.of(page.total))

    @post(summary="Create an instance", responses=write_errors(409))
    async def create(
        self,
        *,
        request: ApiRequest,
        data: JSONBody[CreateInstanceBody],
        create_instance: NamedDependency[CreateInstance],
        catalog: NamedDependency[Catalog],
    ) -> Response[CreatedInstanceResponse]:
        """Creates an instance with the given or default prompts, no tools, and auth off unless you ask for a key.

        All of it is stored in one transaction.
        """
        fields = msgspec.structs.asdict(data) | {
            "sections": sections_of(data.sections),
            "secrets": secret_values(data.secrets),
        }
        created = await create_instance(
            NewInstance(**fields), by=request.auth.actor, unrestricted=request.auth.unrestricted
        )
        key = None if created.key is None else created.key.reveal()
        content = CreatedInstanceResponse(
            instance=instance_out(created.instance),
            address=address_of(created.instance, catalog.providers),
            notices=_notices(created.instance, catalog.providers, data.base_url),
            key=key,
        )
        return Response(content, status_code=201, headers={"ETag": etag_of(created.instance.version)})

    @get("/{slug:str}", summary="Get an instance", responses=read_errors(404))
    async def show(
        self, *, slug: FromPath[str], show_instance: NamedDependency[ShowInstance], catalog: NamedDependency[Catalog]
    ) -> Response[InstanceResponse]:
        """Returns one instance. Send its ETag as If-Match to change only the version that you read."""
        return instance_response(await show_instance(slug_in(slug)), catalog.providers)

    @patch("/{slug:str}", summary="Update an instance", responses=write_errors(404, 412))
    async def change(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        data: JSONBody[PatchInstanceBody],
        update_instance: NamedDependency[UpdateInstance],
        catalog: NamedDependency[Catalog],
        if_match: IfMatch = None,
    ) -> Response[InstanceResponse]:
        """Updates the given fields.

        A new `provider` without a `model` sets the provider's default model, and one without a `baseUrl` sets the
        provider's own address.
        """
        instance = await update_instance(
            slug_in(slug),
            _patch_of(data),
            by=request.auth.actor,
            unrestricted=request.auth.unrestricted,
            expected_versions=versions_in(if_match),
        )
        return instance_response(instance, catalog.providers, given_base_url=data.base_url or None)

    @delete("/{slug:str}", summary="Delete an instance", status_code=200, responses=write_errors(404, 412))
    async def remove(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        delete_instance: NamedDependency[DeleteInstance],
        if_match: IfMatch = None,
    ) -> Deleted:
        """Deletes an instance and its prompts, secrets and API keys."""
        await delete_instance(slug_in(slug), by=request.auth.actor, expected_versions=versions_in(if_match))
        return Deleted()


def instance_out(instance: Instance | InstanceSummary) -> InstanceOut:
    """Returns an instance as a wire struct, without its secrets."""
    fields = {name: getattr(instance, name) for name in InstanceOut.__struct_fields__ if name != "limits"}
    return InstanceOut(**fields, limits=LimitsOut(**msgspec.structs.asdict(instance.limits)))


def instance_response(
    instance: Instance, providers: Mapping[str, ProviderInfo], *, given_base_url: str | None = None
) -> Response[InstanceResponse]:
    """Returns the response with an instance and its ETag.

    Args:
        instance: The stored instance.
        providers: The enabled providers, by name.
        given_base_url: The base URL in the request.
    """
    content = InstanceResponse(
        instance=instance_out(instance),
        address=address_of(instance, providers),
        notices=_notices(instance, providers, given_base_url),
    )
    return Response(content, headers={"ETag": etag_of(instance.version)})


def _notices(instance: Instance, providers: Mapping[str, ProviderInfo], given_base_url: str | None) -> tuple[str, ...]:
    notices = correction_of(given_base_url), moved_key(instance, providers)
    return tuple(notice for notice in notices if notice is not None)


def _status_in(text: str | None) -> InstanceStatus | None:
    try:
        return None if text is None else InstanceStatus(text)
    except ValueError:
        raise InvalidInputError(f"Invalid enum value '{text}' - at `status`") from None


def _patch_of(body: PatchInstanceBody) -> InstancePatch:
    fields = msgspec.structs.asdict(body)
    limits = fields.pop("limits")
    return InstancePatch(**fields, **({} if limits is UNSET else msgspec.structs.asdict(limits)))
