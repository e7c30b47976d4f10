"""The bodies of the routes of channels."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from polyant.domain.channel_info import AccountState
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channels import (
    MAX_USERS,
    AmbiguousSends,
    BurstPolicy,
    ChannelAccess,
    ChannelConnection,
    Delivery,
)
from polyant.domain.lane_work import Delivery as SentChunk
from polyant.domain.lane_work import StoredEvent
from polyant.domain.secrets import MAX_SECRET_CHARACTERS
from polyant.http.management.wire import Body, Page, ResponseBody, Timestamp

_USERS = Meta(max_length=MAX_USERS, description="The platform's ids of the users who may talk", examples=[["4711"]])
_CREDENTIALS = Meta(
    description="Credentials by name; missing ones keep their stored values",
    examples=[{"token": "123456789:AAF4kE-of-BotFather"}],
)
Users = Annotated[tuple[str, ...], _USERS]
CredentialValue = Annotated[str, Meta(min_length=1, max_length=MAX_SECRET_CHARACTERS)]


class ProblemOut(ResponseBody, frozen=True, kw_only=True):
    """A problem of a connection that lasts until a success."""

    kind: Annotated[ProblemKind, Meta(examples=["webhook_refused"])]
    since: Timestamp
    reason: Annotated[str, Meta(description="The latest failure", examples=["the signature is wrong"])]


class ChannelOut(ResponseBody, frozen=True, kw_only=True):
    """A connection, without credentials."""

    channel: Annotated[str, Meta(examples=["telegram"])]
    account: Annotated[
        str, Meta(description="The platform's id of the account; empty if disconnected", examples=["123456789"])
    ]
    account_name: Annotated[str, Meta(description="How users find the account", examples=["@demo_bot"])]
    state: Annotated[
        str,
        Meta(
            description="`active`; until it is connected, `paused` after a restore and `disconnected` after an import"
        ),
    ]
    delivery: Annotated[str, Meta(description="`webhook`, or `pull` for polling and sockets")]
    webhook: Annotated[str | None, Meta(description="Address that the platform calls; null if events are pulled")]
    access: str
    users: tuple[str, ...]
    burst: str
    ambiguous_sends: str
    options: Mapping[str, str]
    problems: Annotated[tuple[ProblemOut, ...], Meta(description="The problems that last, the gravest first")]
    created_at: Timestamp
    updated_at: Timestamp


class DisconnectedChannel(ResponseBody, frozen=True, kw_only=True):
    """The confirmation that a channel is disconnected."""

    deleted: bool = True
    problem: Annotated[
        str | None,
        Meta(description="Why the platform may still call a webhook, of this or another server; null if unknown"),
    ]


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


class SendOut(ResponseBody, frozen=True, kw_only=True):
    """A part of an answer that the platform may have taken twice or not at all, without its text."""

    id: int
    channel: str
    account: str
    state: Annotated[str, Meta(description="`unknown` if it isn't sent again", examples=["sent"])]
    attempts: int
    ambiguous: Annotated[int, Meta(description="How often it was sent again although it may have arrived")]
    status: Annotated[str | None, Meta(description="The platform's later report, such as `read`")]
    error: str | None
    created_at: Timestamp


class DoubtfulSendsResponse(Page, frozen=True, kw_only=True):
    """A page of doubtful sends, the latest first."""

    doubtful_sends: tuple[SendOut, ...]


class ReplayResponse(ResponseBody, frozen=True, kw_only=True):
    """The confirmation of a replay."""

    replayed: bool = True


def channel_out(connection: ChannelConnection, public_url: str) -> ChannelOut:
    """Returns the connection as a wire struct."""
    is_pushed = connection.has_account and connection.delivery is Delivery.WEBHOOK
    return ChannelOut(
        channel=connection.channel,
        account=connection.account if connection.has_account else "",
        account_name=connection.account_name,
        state=connection.state,
        delivery=connection.delivery,
        webhook=f"{public_url}{connection.path}" if is_pushed else None,
        access=connection.access,
        users=tuple(sorted(connection.users)),
        burst=connection.burst,
        ambiguous_sends=connection.ambiguous_sends,
        options=connection.options,
        problems=tuple(ProblemOut(**msgspec.structs.asdict(problem)) for problem in connection.problems),
        created_at=connection.created_at,
        updated_at=connection.updated_at,
    )


def check_out(state: AccountState) -> ChannelTestResponse:
    """Returns the state of an account as a wire struct."""
    return ChannelTestResponse(
        usable=not state.problems, account=state.account, name=state.name, problems=state.problems
    )


def send_out(delivery: SentChunk) -> SendOut:
    """Returns the delivery as a wire struct."""
    shown = {name: getattr(delivery, name) for name in SendOut.__struct_fields__}
    return SendOut(**msgspec.to_builtins(shown, builtin_types=(type(delivery.created_at),)))


def event_out(event: StoredEvent) -> EventOut:
    """Returns the event as a wire struct."""
    shown = {name: getattr(event, name) for name in EventOut.__struct_fields__}
    return EventOut(**msgspec.to_builtins(shown, builtin_types=(type(event.received_at),)))
