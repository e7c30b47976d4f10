"""/api/instances/{slug}/channels: the connections of an instance to chat platforms; credentials are write-only."""

from typing import Any

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from polyant.domain.channels import (
    ChannelConnection,
    ChannelName,
    UnknownConnectionError,
    parse_channel_name,
)
from polyant.domain.digits import parse_digits
from polyant.domain.errors import InvalidInputError, UnknownEventError
from polyant.domain.injectables import PublicUrl
from polyant.domain.lane_work import MAX_EVENT_DIGITS
from polyant.domain.use_cases.check_channel import CheckChannel
from polyant.domain.use_cases.connect_channel import ConnectChannel, NewConnection
from polyant.domain.use_cases.disconnect_channel import DisconnectChannel
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.domain.use_cases.list_dead_letters import ListDeadLetters
from polyant.domain.use_cases.update_channel import ChannelChange, UpdateChannel
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.channel_bodies import (
    ApprovalBody,
    ChannelOut,
    ChannelPatch,
    ChannelsResponse,
    ChannelTestResponse,
    ConnectBody,
    DeadLettersResponse,
    DisconnectedChannel,
    DoubtfulSendsResponse,
    ReplayResponse,
    channel_out,
    check_out,
    event_out,
    send_out,
)
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Paging, slug_in


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
    ) -> DisconnectedChannel:
        """Ends the arrival of events, and deletes the connection and its credentials.

        A webhook of another server, which has taken the account over, stays.
        """
        problem = await disconnect_channel(
            slug_in(slug), _channel_in(channel), by=request.auth.actor, expected_versions=versions_in(if_match)
        )
        return DisconnectedChannel(problem=problem)

    @post("/{channel:str}/test", summary="Test a channel connection", status_code=200, responses=write_errors(404))
    async def test(
        self, *, slug: FromPath[str], channel: FromPath[str], check_channel: NamedDependency[CheckChannel]
    ) -> ChannelTestResponse:
        """Asks the platform about the account. Nothing changes."""
        return check_out(await check_channel(slug_in(slug), _channel_in(channel)))

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

    @get("/{channel:str}/doubtful-sends", summary="List doubtful sends", responses=read_errors(404))
    async def doubtful_sends(
        self,
        *,
        slug: FromPath[str],
        channel: FromPath[str],
        paging: NamedDependency[Paging],
        list_dead_letters: NamedDependency[ListDeadLetters],
    ) -> DoubtfulSendsResponse:
        """Returns the sends with an ambiguous response of the platform, without their texts."""
        page = await list_dead_letters.doubtful_sends(
            slug_in(slug), _channel_in(channel), limit=paging.limit, offset=paging.offset
        )
        return DoubtfulSendsResponse(doubtful_sends=tuple(map(send_out, page.deliveries)), **paging.of(page.total))

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
        number = parse_digits(event, at_most=MAX_EVENT_DIGITS)
        if number is None:
            raise UnknownEventError
        await list_dead_letters.replay(number, by=request.auth.actor, slug=slug_in(slug))
        return ReplayResponse()


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
