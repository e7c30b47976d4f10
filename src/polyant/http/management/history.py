"""/api/instances/{slug}/history: the earlier prompts and settings of an instance."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from polyant.domain.catalog import Catalog
from polyant.domain.errors import InvalidInputError
from polyant.domain.instance_states import InstanceState, StateSummary, UnknownStateError, parse_state_number
from polyant.domain.prompts import SECTION_TITLES, SectionKey
from polyant.domain.use_cases.delete_state import DeleteState
from polyant.domain.use_cases.list_states import ListStates
from polyant.domain.use_cases.restore_state import RestoreState
from polyant.domain.use_cases.show_state import ShowState
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.instances import (
    AdapterName,
    BaseUrl,
    Conversations,
    Description,
    HistoryMessageCount,
    HistoryTokenCount,
    InstanceResponse,
    LimitsOut,
    Model,
    Name,
    Provider,
    Temperature,
    instance_response,
)
from polyant.http.management.preconditions import IfMatch, versions_in
from polyant.http.management.prompts import SectionOut
from polyant.http.management.requests import ApiRequest
from polyant.http.management.skills import SkillOut, skill_summary
from polyant.http.management.wire import Deleted, Page, Paging, ResponseBody, Timestamp, slug_in


class StateOut(ResponseBody, frozen=True, kw_only=True):
    """An earlier state of an instance."""

    number: Annotated[int, Meta(description="The version of the instance that the state was")]
    replaced_at: Timestamp
    replaced_by: Annotated[
        str, Meta(description="Author of the save that replaced it: an email address, or `cli`", examples=["a@x.org"])
    ]
    changed: Annotated[
        tuple[str, ...],
        Meta(
            description="Names of the fields, limits, sections, options and skills that the save changed",
            examples=[["temperature", "01-identity"]],
        ),
    ]


class StateList(Page, frozen=True):
    """A page of earlier states, the latest first."""

    states: tuple[StateOut, ...]


class StateContentOut(ResponseBody, frozen=True, kw_only=True):
    """The prompts, settings and skills of an earlier state."""

    name: Name
    description: Description
    provider: Provider
    model: Model
    base_url: BaseUrl | None
    temperature: Temperature | None
    conversations: Conversations
    history_tokens: HistoryTokenCount
    history_messages: HistoryMessageCount
    image_input: bool
    limits: LimitsOut
    options: Annotated[dict[AdapterName, dict[str, Any]], Meta(description="Options of adapters, by adapter name")]
    prompts: Annotated[tuple[SectionOut, ...], Meta(description="The eight sections of the system prompt")]
    skills: Annotated[
        tuple[SkillOut, ...] | None, Meta(description="Null in states that a version without skills kept")
    ]


class StateResponse(StateOut, frozen=True, kw_only=True):
    """An earlier state with its content."""

    content: StateContentOut


class HistoryController(Controller):
    """The earlier prompts and settings of one instance."""

    path = "/instances/{slug:str}/history"
    tags = ("History",)

    @get(summary="List earlier states", responses=read_errors(404))
    async def list_all(
        self,
        *,
        slug: FromPath[str],
        list_states: NamedDependency[ListStates],
        paging: NamedDependency[Paging],
    ) -> StateList:
        """Returns the states that saves of prompts and settings have replaced, the latest first.

        An instance keeps at most 100 states and 4 MiB; the oldest are dropped first.
        """
        states = await list_states(slug_in(slug))
        page = states[paging.offset : paging.offset + paging.limit]
        return StateList(tuple(map(_out, page)), **paging.of(len(states)))

    @get("/{number:str}", summary="Get an earlier state", responses=read_errors(404))
    async def show(
        self, *, slug: FromPath[str], number: FromPath[str], show_state: NamedDependency[ShowState]
    ) -> StateResponse:
        """Returns one earlier state with its prompts and settings."""
        state = await show_state(slug_in(slug), state_number_in(number))
        return StateResponse(**msgspec.structs.asdict(_out(state)), content=_content_out(state))

    @post(
        "/{number:str}/restore", summary="Restore an earlier state", status_code=200, responses=write_errors(404, 412)
    )
    async def restore(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        number: FromPath[str],
        restore_state: NamedDependency[RestoreState],
        catalog: NamedDependency[Catalog],
        if_match: IfMatch = None,
    ) -> Response[InstanceResponse]:
        """Saves the prompts, settings and skills of an earlier state again; the present ones become the latest state.

        Access, status, tools, MCP servers and secrets stay as they are.
        """
        instance = await restore_state(
            slug_in(slug),
            state_number_in(number),
            by=request.auth.actor,
            unrestricted=request.auth.unrestricted,
            expected_versions=versions_in(if_match),
        )
        return instance_response(instance, catalog.providers)

    @delete("/{number:str}", summary="Delete an earlier state", status_code=200, responses=write_errors(404))
    async def remove(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        number: FromPath[str],
        delete_state: NamedDependency[DeleteState],
    ) -> Deleted:
        """Deletes one earlier state, such as one with a secret in a prompt. The instance stays as it is."""
        await delete_state(slug_in(slug), state_number_in(number), by=request.auth.actor)
        return Deleted()


def state_number_in(path: str) -> int:
    """Returns the number of a state in a path.

    Raises:
        UnknownStateError: The text isn't a number that a state can have.
    """
    try:
        return parse_state_number(path)
    except InvalidInputError:
        raise UnknownStateError(path) from None


def _out(state: StateSummary) -> StateOut:
    return StateOut(**{name: getattr(state, name) for name in StateOut.__struct_fields__})


def _content_out(state: InstanceState) -> StateContentOut:
    content = state.content
    direct = {
        name: getattr(content, name)
        for name in content.__struct_fields__
        if name not in {"limits", "sections", "skills"}
    }
    return StateContentOut(
        **direct,
        limits=LimitsOut(**msgspec.structs.asdict(content.limits)),
        prompts=tuple(
            SectionOut(key=key, title=SECTION_TITLES[key], content=content.sections.get(key, "")) for key in SectionKey
        ),
        skills=None if content.skills is None else tuple(map(skill_summary, content.skills)),
    )
