"""/api/instances: which assistants there are, and what each is."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import (
    CONTROL_CHARACTERS,
    MAX_DESCRIPTION_CHARACTERS,
    MAX_MODEL_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_SLUG_CHARACTERS,
    MAX_TEMPERATURE,
    SLUG_PATTERN,
    Instance,
    InstanceQuery,
    InstanceStatus,
    InstanceSummary,
)
from polyant.domain.limits import LimitSeconds, MaxSteps, MaxToolCalls
from polyant.domain.use_cases.create_instance import CreateInstance
from polyant.domain.use_cases.delete_instance import DeleteInstance
from polyant.domain.use_cases.list_instances import ListInstances
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Answer, Body, Deleted, Moment, Page, Paging, Search, pattern_schema, slug_in
from polyant.http.refusals import read_refusals, write_refusals

# What the domain checks itself, with a message of its own, the schemas only describe (`extra_json_schema`).
_ANY = f"[^{CONTROL_CHARACTERS}]*"
_TEXT = f"^{_ANY}$"
_TEXT_WITH_SOMETHING_IN_IT = rf"^{_ANY}[^\s{CONTROL_CHARACTERS}]{_ANY}$"

SlugText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_SLUG_CHARACTERS,
        extra_json_schema=pattern_schema(SLUG_PATTERN),
        description="What callers name as the model",
        examples=["support-bot"],
    ),
]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME_CHARACTERS,
        extra_json_schema={"pattern": _TEXT_WITH_SOMETHING_IN_IT},
        description="How it calls itself",
        examples=["Support Bot"],
    ),
]
Description = Annotated[
    str,
    Meta(
        max_length=MAX_DESCRIPTION_CHARACTERS,
        extra_json_schema={"pattern": _TEXT},
        description="What it is for",
        examples=["Answers customers"],
    ),
]
Provider = Annotated[
    str, Meta(description="Which provider answers, see /api/providers", examples=["scripted", "openai"])
]
Model = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_MODEL_CHARACTERS,
        extra_json_schema={"pattern": _TEXT_WITH_SOMETHING_IN_IT},
        description="The provider's name of the model",
        examples=["demo", "gpt-5-mini"],
    ),
]
BaseUrl = Annotated[
    str,
    Meta(
        description="Where the provider is reached, without user, query and fragment; null is its own address",
        examples=["http://localhost:11434/v1"],
    ),
]
Temperature = Annotated[
    float,
    Meta(
        ge=0,
        le=MAX_TEMPERATURE,
        description="How freely the model chooses its words; null leaves it to the provider",
        examples=[0.7],
    ),
]


AdapterName = Annotated[str, Meta(examples=["openai"])]


class LimitsOut(Answer, frozen=True, kw_only=True):
    """The instance's own limits for its turns; null is what holds for all."""

    max_steps: int | None
    max_tool_calls: int | None
    turn_seconds: float | None
    tool_seconds: float | None


class InstanceOut(Answer, frozen=True, kw_only=True):
    """An instance, as it is listed and shown."""

    id: Annotated[str, Meta(examples=["9c1d5e0f6a7b4c3d8e2f1a0b9c8d7e6f"])]
    slug: SlugText
    name: Name
    description: Description
    status: InstanceStatus
    provider: Provider
    model: Model
    base_url: BaseUrl | None
    temperature: Temperature | None
    auth_enabled: Annotated[bool, Meta(description="Whether callers have to present the key")]
    has_auth_key: Annotated[bool, Meta(description="Whether there is a key for callers")]
    limits: LimitsOut
    options: Annotated[
        dict[AdapterName, dict[str, Any]], Meta(description="What is set for adapters, by the adapter's name")
    ]
    created_at: Moment
    updated_at: Moment


class InstanceAnswer(Answer, frozen=True, kw_only=True):
    """One instance."""

    instance: InstanceOut


class InstanceList(Page, frozen=True):
    """A page of instances."""

    instances: tuple[InstanceOut, ...]


class CreateInstanceBody(Body, frozen=True, kw_only=True):
    """A new instance."""

    slug: SlugText
    name: Name
    description: Description = ""
    provider: Provider = "scripted"
    model: Model | None = None
    base_url: BaseUrl | None = None
    temperature: Temperature | None = None


class LimitsBody(Body, frozen=True, kw_only=True):
    """The limits to change; null is what holds for all."""

    max_steps: MaxSteps | UnsetType | None = UNSET
    max_tool_calls: MaxToolCalls | UnsetType | None = UNSET
    turn_seconds: LimitSeconds | UnsetType | None = UNSET
    tool_seconds: LimitSeconds | UnsetType | None = UNSET


class PatchInstanceBody(Body, frozen=True, kw_only=True):
    """The fields to change; what isn't sent stays as it is."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    status: InstanceStatus | UnsetType = UNSET
    provider: Provider | UnsetType = UNSET
    model: Model | UnsetType = UNSET
    base_url: BaseUrl | UnsetType | None = UNSET
    temperature: Temperature | UnsetType | None = UNSET
    auth_enabled: bool | UnsetType = UNSET
    limits: LimitsBody | UnsetType = UNSET
    options: (
        Annotated[
            dict[AdapterName, dict[str, Any] | None],
            Meta(description="Options to replace, by the adapter's name; null removes an adapter's, others stay"),
        ]
        | UnsetType
    ) = UNSET


class InstancesController(Controller):
    """The instances."""

    path = "/instances"
    tags = ("Instances",)

    @get(summary="List instances", responses=read_refusals())
    async def list_all(
        self,
        *,
        list_instances: NamedDependency[ListInstances],
        paging: NamedDependency[Paging],
        search: Search = "",
        status: Annotated[
            str | None,
            QueryParameter(name="status", description="Only those", schema_extra={"enum": list(InstanceStatus)}),
        ] = None,
    ) -> InstanceList:
        """Lists the instances, oldest first; `search` finds part of the slug, the name or the description."""
        query = InstanceQuery(status=_status_in(status), search=search, limit=paging.limit, offset=paging.offset)
        page = await list_instances(query)
        return InstanceList(tuple(map(instance_out, page.instances)), **paging.of(page.total))

    @post(summary="Create an instance", responses=write_refusals(409))
    async def create(
        self,
        *,
        request: ApiRequest,
        data: JSONBody[CreateInstanceBody],
        create_instance: NamedDependency[CreateInstance],
    ) -> Response[InstanceAnswer]:
        """Creates an instance with the default prompts, no tools and auth off."""
        instance = await create_instance(**msgspec.structs.asdict(data), by=request.auth.actor)
        return instance_answer(instance, status=201)

    @get("/{slug:str}", summary="Show an instance", responses=read_refusals(404))
    async def show(
        self, *, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[InstanceAnswer]:
        """Shows one instance; its ETag can be sent as If-Match with a change."""
        return instance_answer(await show_instance(slug_in(slug)))

    @patch("/{slug:str}", summary="Change an instance", responses=write_refusals(404, 412))
    async def change(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        data: JSONBody[PatchInstanceBody],
        update_instance: NamedDependency[UpdateInstance],
        if_match: IfMatch = None,
    ) -> Response[InstanceAnswer]:
        """Changes the fields that are sent. A new provider brings its default model along unless one is sent."""
        instance = await update_instance(
            slug_in(slug), _patch_of(data), by=request.auth.actor, expected_versions=versions_in(if_match)
        )
        return instance_answer(instance)

    @delete("/{slug:str}", summary="Delete an instance", status_code=200, responses=write_refusals(404, 412))
    async def remove(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        delete_instance: NamedDependency[DeleteInstance],
        if_match: IfMatch = None,
    ) -> Deleted:
        """Deletes an instance with its prompts, secrets and keys."""
        await delete_instance(slug_in(slug), by=request.auth.actor, expected_versions=versions_in(if_match))
        return Deleted()


def instance_out(instance: Instance | InstanceSummary) -> InstanceOut:
    """Returns what is shown of an instance."""
    fields = {name: getattr(instance, name) for name in InstanceOut.__struct_fields__ if name != "limits"}
    return InstanceOut(**fields, limits=LimitsOut(**msgspec.structs.asdict(instance.limits)))


def instance_answer(instance: Instance, *, status: int = 200) -> Response[InstanceAnswer]:
    """Returns the answer that shows an instance, with its entity tag."""
    content = InstanceAnswer(instance=instance_out(instance))
    return Response(content, status_code=status, headers={"ETag": etag_of(instance.version)})


def _status_in(text: str | None) -> InstanceStatus | None:
    try:
        return None if text is None else InstanceStatus(text)
    except ValueError:
        raise InvalidInputError(f"Invalid enum value '{text}' - at `status`") from None


def _patch_of(body: PatchInstanceBody) -> InstancePatch:
    fields = msgspec.structs.asdict(body)
    limits = fields.pop("limits")
    return InstancePatch(**fields, **({} if limits is UNSET else msgspec.structs.asdict(limits)))
