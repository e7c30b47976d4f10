"""/api/instances/{slug}/channels: the connections of an instance to chat platforms; credentials are write-only."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from polyant.domain.channel_events import AccountState
from polyant.domain.channels import (
    MAX_USERS,
    AmbiguousSends,
    BurstPolicy,
    ChannelAccess,
    ChannelConnection,
    ChannelName,
    Delivery,
    UnknownConnectionError,
    parse_channel_name,
)
from polyant.domain.errors import InvalidInputError, UnknownEventError
from polyant.domain.injectables import PublicUrl
from polyant.domain.lane_work import StoredEvent
from polyant.domain.secrets import MAX_SECRET_CHARACTERS
from polyant.domain.use_cases.check_channel import CheckChannel
from polyant.domain.use_cases.connect_channel import ConnectChannel, NewConnection
from polyant.domain.use_cases.disconnect_channel import DisconnectChannel
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.domain.use_cases.list_dead_letters import ListDeadLetters
from polyant.domain.use_cases.update_channel import ChannelChange, UpdateChannel
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Body, Deleted, Page, Paging, ResponseBody, Timestamp, slug_in

_USERS = Meta(max_length=MAX_USERS, description="The platform's ids of the users who may talk", examples=[["4711"]])
_CREDENTIALS = Meta(
    description="Credentials by name; missing ones keep their stored values",
    examples=[{"token": "123456789:AAF4kE-of-BotFather"}],
)
Users = Annotated[tuple[str, ...], _USERS]
CredentialValue = Annotated[str, Meta(min_length=1, max_length=MAX_SECRET_CHARACTERS)]


class ChannelOut(ResponseBody, frozen=True, kw_only=True):
    """A connection, without credentials."""

    channel: Annotated[str, Meta(examples=["telegram"])]
    account: Annotated[str, Meta(description="The platform's id of the account", examples=["123456789"])]
    account_name: Annotated[str, Meta(description="How users find the account", examples=["@demo_bot"])]
    state: Annotated[str, Meta(description="`paused` after a restore, until the channel is connected again")]
    delivery: Annotated[str, Meta(description="`webhook`, or `pull` for polling and sockets")]
    webhook: Annotated[str | None, Meta(description="Address that the platform calls; null if events are pulled")]
    access: str
    users: tuple[str, ...]
    burst: str
    ambiguous_sends: str
    options: Mapping[str, str]
    created_at: Timestamp
    updated_at: Timestamp


class ChannelsResponse(ResponseBody, frozen=True, kw_only=True):
    """The connections of an instance."""

    channels: tuple[ChannelOut, ...]


class ConnectBody(Body, frozen=True, kw_only=True):
    """The credentials and choices of a connection; missing ones keep their values, or get the channel's defaults."""

    credentials: Annotated[Mapping[str, CredentialValue], _CREDENTIALS] = {}
    options: Annotated[Mapping[str, str], Meta(description="Facts that the channel asks for")] = {}
    delivery: Delivery | None = None
    access: ChannelAccess | None = None
    users: Users | None = None
    burst: BurstPolicy | None = None
    ambiguous_sends: AmbiguousSends | None = None


class ChannelPatch(Body, frozen=True, kw_only=True):
    """The choices to change."""

    access: ChannelAccess | None = None
    users: Users | None = None
    burst: BurstPolicy | None = None
    ambiguous_sends: AmbiguousSends | None = None


class ApprovalBody(Body, frozen=True, kw_only=True):
    """The pairing code that a user received from the account."""

    code: Annotated[str, Meta(min_length=1, max_length=100, examples=["4711-K7Q2MBXA"])]


class ChannelTestResponse(ResponseBody, frozen=True, kw_only=True):
    """The account as the platform describes it."""

    usable: Annotated[bool, Meta(description="Whether there are no problems")]
    account: str
    name: str
    problems: Annotated[tuple[str, ...], Meta(description="The faults, each with its remedy")]


class EventOut(ResponseBody, frozen=True, kw_only=True):
    """A received event, without its text."""

    id: int
    channel: str
    account: str
    state: str
    attempts: int
    error: Annotated[str | None, Meta(description="Why the event isn't answered")]
    received_at: Timestamp


class DeadLettersResponse(Page, frozen=True, kw_only=True):
    """A page of dead letters, the latest first."""

    dead_letters: tuple[EventOut, ...]


class ReplayResponse(ResponseBody, frozen=True, kw_only=True):
    """The confirmation of a replay."""

    replayed: bool = True


class ChannelsController(Controller):
    """The channel connections of one instance."""

    path = "/instances/{slug:str}/channels"
    tags = ("Channels",)

    @get(summary="List an instance's channel connections", responses=read_errors(404))
    async def list_all(
        self,
        *,
        slug: FromPath[str],
        list_channels: NamedDependency[ListChannels],
        public_url: NamedDependency[PublicUrl],
    ) -> ChannelsResponse:
        """Returns the connections, without their credentials."""
        found = await list_channels(slug_in(slug))
        return ChannelsResponse(channels=tuple(channel_out(each, public_url) for each in found))

    @get("/{channel:str}", summary="Show a channel connection", responses=read_errors(404))
    async def show(
        self,
        *,
        slug: FromPath[str],
        channel: FromPath[str],
        list_channels: NamedDependency[ListChannels],
        public_url: NamedDependency[PublicUrl],
    ) -> Response[ChannelOut]:
        """Returns one connection, without its credentials."""
        return _response(await list_channels.one(slug_in(slug), _channel_in(channel)), public_url)

    @put("/{channel:str}", summary="Connect a channel", status_code=200, responses=write_errors(404, 409, 412))
    async def connect(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        data: JSONBody[ConnectBody],
        connect_channel: NamedDependency[ConnectChannel],
        public_url: NamedDependency[PublicUrl],
        if_match: IfMatch = None,
    ) -> Response[ChannelOut]:
        """Checks the credentials with the platform, stores them, and lets events arrive.

        A connection that exists gets the new credentials and choices, and is no longer paused.
        """
        new = NewConnection(
            channel=_channel_in(channel),
            credentials=data.credentials,
            options=data.options,
            delivery=data.delivery,
            **_choices(data),
        )
        connected = await connect_channel(
            slug_in(slug), new, by=request.auth.actor, expected_versions=versions_in(if_match)
        )
        return _response(connected.connection, public_url)

    @patch("/{channel:str}", summary="Change a channel connection", responses=write_errors(404, 412))
    async def update(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        data: JSONBody[ChannelPatch],
        update_channel: NamedDependency[UpdateChannel],
        public_url: NamedDependency[PublicUrl],
        if_match: IfMatch = None,
    ) -> Response[ChannelOut]:
        """Changes who may talk, and how messages are handled."""
        changed = await update_channel(
            slug_in(slug),
            _channel_in(channel),
            ChannelChange(**_choices(data)),
            by=request.auth.actor,
            expected_versions=versions_in(if_match),
        )
        return _response(changed, public_url)

    @delete("/{channel:str}", summary="Disconnect a channel", status_code=200, responses=write_errors(404, 412))
    async def disconnect(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        disconnect_channel: NamedDependency[DisconnectChannel],
        if_match: IfMatch = None,
    ) -> Deleted:
        """Ends the arrival of events, and deletes the connection and its credentials."""
        await disconnect_channel(
            slug_in(slug), _channel_in(channel), by=request.auth.actor, expected_versions=versions_in(if_match)
        )
        return Deleted()

    @post("/{channel:str}/test", summary="Test a channel connection", status_code=200, responses=write_errors(404))
    async def test(
        self, *, slug: FromPath[str], channel: FromPath[str], check_channel: NamedDependency[CheckChannel]
    ) -> ChannelTestResponse:
        """Asks the platform about the account. Nothing changes."""
        return _test_response(await check_channel(slug_in(slug), _channel_in(channel)))

    @post("/{channel:str}/approvals", summary="Approve a user", status_code=200, responses=write_errors(404))
    async def approve(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        data: JSONBody[ApprovalBody],
        update_channel: NamedDependency[UpdateChannel],
        public_url: NamedDependency[PublicUrl],
    ) -> Response[ChannelOut]:
        """Lets the user with that pairing code talk."""
        approved = await update_channel.approve(slug_in(slug), _channel_in(channel), data.code, by=request.auth.actor)
        return _response(approved, public_url)

    @get("/{channel:str}/dead-letters", summary="List dead letters", responses=read_errors(404))
    async def dead_letters(
        self,
        *,
        slug: FromPath[str],
        channel: FromPath[str],
        paging: NamedDependency[Paging],
        list_dead_letters: NamedDependency[ListDeadLetters],
    ) -> DeadLettersResponse:
        """Returns the events that failed for good, without their texts."""
        page = await list_dead_letters(slug_in(slug), _channel_in(channel), limit=paging.limit, offset=paging.offset)
        return DeadLettersResponse(dead_letters=tuple(map(event_out, page.events)), **paging.of(page.total))

    @post(
        "/{channel:str}/dead-letters/{event:str}/replay",
        summary="Replay a dead letter",
        status_code=200,
        responses=write_errors(404),
    )
    async def replay(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        event: FromPath[str],
        list_dead_letters: NamedDependency[ListDeadLetters],
    ) -> ReplayResponse:
        """Lets an event that failed for good be answered again."""
        _channel_in(channel)
        if not event.isascii() or not event.isdecimal() or len(event) > _MAX_DIGITS:
            raise UnknownEventError
        await list_dead_letters.replay(int(event), by=request.auth.actor, slug=slug_in(slug))
        return ReplayResponse()


_MAX_DIGITS = 19


def _channel_in(path: str) -> ChannelName:
    try:
        return parse_channel_name(path)
    except InvalidInputError:
        raise UnknownConnectionError from None


def _choices(data: ConnectBody | ChannelPatch) -> dict[str, Any]:
    return {
        "access": data.access,
        "users": None if data.users is None else frozenset(data.users),
        "burst": data.burst,
        "ambiguous_sends": data.ambiguous_sends,
    }


def _response(connection: ChannelConnection, public_url: str) -> Response[ChannelOut]:
    return Response(channel_out(connection, public_url), headers={"ETag": etag_of(connection.version)})


def channel_out(connection: ChannelConnection, public_url: str) -> ChannelOut:
    """Returns the connection as a wire struct."""
    is_pushed = connection.delivery is Delivery.WEBHOOK
    return ChannelOut(
        channel=connection.channel,
        account=connection.account,
        account_name=connection.account_name,
        state=connection.state,
        delivery=connection.delivery,
        webhook=f"{public_url}{connection.path}" if is_pushed else None,
        access=connection.access,
        users=tuple(sorted(connection.users)),
        burst=connection.burst,
        ambiguous_sends=connection.ambiguous_sends,
        options=connection.options,
        created_at=connection.created_at,
        updated_at=connection.updated_at,
    )


def _test_response(state: AccountState) -> ChannelTestResponse:
    return ChannelTestResponse(
        usable=not state.problems, account=state.account, name=state.name, problems=state.problems
    )


def event_out(event: StoredEvent) -> EventOut:
    """Returns the event as a wire struct."""
    shown = {name: getattr(event, name) for name in EventOut.__struct_fields__}
    return EventOut(**msgspec.to_builtins(shown, builtin_types=(type(event.received_at),)))
