"""Channel connections: which account of a chat platform talks to which instance, and by which rules."""

import enum
import re
from collections.abc import Mapping
from datetime import datetime
from typing import NewType

import msgspec

from polyant.domain.channel_problems import ChannelProblem
from polyant.domain.errors import ConflictError, InvalidInputError, NotFoundError, PreconditionFailedError
from polyant.domain.instances import InstanceId, Slug
from polyant.domain.secrets import CALLER_KEYS, SecretName, SecretText, parse_secret_name

ChannelName = NewType("ChannelName", str)
"""The name of a channel adapter, such as `telegram`; create it with `parse_channel_name`."""

ConnectionId = NewType("ConnectionId", str)
"""The public id of a connection: 22 random characters of base64url, the last part of its webhook's URL."""

CHANNEL_NAME_PATTERN = re.compile(r"\A[a-z][a-z0-9_]{0,15}\Z")
CONNECTION_ID_PATTERN = re.compile(r"\A[A-Za-z0-9_-]{22}\Z")
MAX_ACCOUNT_CHARACTERS = 64
MAX_USERS = 10_000
_USER = re.compile(r"\A[!-~]{1,64}\Z")
_ACCOUNT = re.compile(rf"\A[!-~]{{1,{MAX_ACCOUNT_CHARACTERS}}}\Z")


class ChannelAccess(enum.StrEnum):
    """The users who may talk to the instance through a connection."""

    PAIRING = "pairing"
    """The users whose pairing code an administrator approved."""
    ALLOW_LIST = "allow-list"
    """The users that an administrator listed."""
    WORKSPACE = "workspace"
    """The members of the platform's workspace that the account belongs to."""
    EVERYBODY = "everybody"
    """Everybody, including strangers, who spend the operator's tokens."""


class BurstPolicy(enum.StrEnum):
    """The handling of messages that arrive in quick succession."""

    COALESCE = "coalesce"
    """They become one turn after a second of silence, at most 5 s after the first."""
    ENQUEUE = "enqueue"
    """Each gets a turn of its own, in order."""
    INTERRUPT = "interrupt"
    """A new message restarts the turn that is running."""


class AmbiguousSends(enum.StrEnum):
    """The handling of a chunk if it is unknown whether the platform took it."""

    RESEND = "resend"
    """It is sent again, so that the user may see it twice."""
    HOLD = "hold"
    """It isn't sent again, so that the user may not see it."""


class Delivery(enum.StrEnum):
    """How events arrive."""

    WEBHOOK = "webhook"
    """The platform calls the webhook."""
    PULL = "pull"
    """This server fetches them: long polling or a WebSocket."""


class ConnectionState(enum.StrEnum):
    """Whether a connection is in use."""

    ACTIVE = "active"
    PAUSED = "paused"
    """It is restored from a backup: another server may still answer for the account."""
    DISCONNECTED = "disconnected"
    """It is imported: it has an operator's choices, but no account yet."""


class ChannelConnection(msgspec.Struct, frozen=True, kw_only=True):
    """An account of a platform that talks to an instance; an instance has at most one for each channel."""

    id: ConnectionId
    channel: ChannelName
    account: str
    """The platform's id of the account; it belongs to one connection of the channel."""
    account_name: str = ""
    """How users find the account on the platform, such as `@demo_bot`."""
    instance_id: InstanceId
    slug: Slug
    """The slug of the instance."""
    delivery: Delivery
    credentials: Mapping[str, SecretName] = {}
    """The secrets of the instance that contain the credentials, by the names in the adapter's ChannelInfo."""
    options: Mapping[str, str] = {}
    """Facts about the account that aren't secret, by the names in the adapter's ChannelInfo."""
    access: ChannelAccess
    users: frozenset[str] = frozenset()
    """The platform's ids of the users who may talk, for `pairing` and `allow-list`."""
    burst: BurstPolicy = BurstPolicy.COALESCE
    ambiguous_sends: AmbiguousSends = AmbiguousSends.RESEND
    state: ConnectionState = ConnectionState.ACTIVE
    created_at: datetime
    updated_at: datetime
    version: int = 0
    """Incremented on each write; 0 means that the connection was never stored."""
    problems: tuple[ChannelProblem, ...] = ()
    """The problems that last, the gravest first; the store of connections records them apart from the other fields."""

    @property
    def is_active(self) -> bool:
        """Whether the connection receives and sends."""
        return self.state is ConnectionState.ACTIVE

    @property
    def has_account(self) -> bool:
        """Whether `account` is the id of an account, not a placeholder that no account can have."""
        return self.state is not ConnectionState.DISCONNECTED

    @property
    def account_label(self) -> str:
        """The text by which operators recognise the account; empty if there is none."""
        return (self.account_name or self.account) if self.has_account else ""

    @property
    def path(self) -> str:
        """The path of the webhook's URL."""
        return f"/channels/{self.channel}/{self.id}"

    def admits(self, user: str, *, workspace: bool) -> bool:
        """Returns whether a user may talk.

        Args:
            user: The platform's id of the user.
            workspace: Whether the platform says that the user is a member of the account's workspace.
        """
        match self.access:
            case ChannelAccess.EVERYBODY:
                return True
            case ChannelAccess.WORKSPACE:
                return workspace or user in self.users
            case ChannelAccess.PAIRING | ChannelAccess.ALLOW_LIST:
                return user in self.users


class ChannelAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A connection with its decrypted credentials, for calls of a Channel."""

    connection: ChannelConnection
    credentials: Mapping[str, SecretText]


class UnknownConnectionError(NotFoundError):
    """No connection has that id, or the instance isn't connected to that channel."""

    def __init__(self) -> None:
        super().__init__("Unknown channel connection")


class ConnectionExistsError(ConflictError):
    """The account belongs to another connection, or the instance already has one for the channel."""

    def __init__(self, channel: str, *, same_account: bool) -> None:
        problem = (
            f"This {channel} account is already connected: disconnect it there first"
            if same_account
            else f"The instance is already connected to {channel}: disconnect it first"
        )
        super().__init__(problem)


class ConnectionChangedError(PreconditionFailedError):
    """Another writer changed the connection since it was read."""

    def __init__(self) -> None:
        super().__init__("The channel connection has changed since it was read: read it again and repeat the change")


def parse_channel_name(text: str) -> ChannelName:
    """Returns the text as the name of a channel adapter.

    Raises:
        InvalidInputError: The text isn't a lowercase letter followed by up to 15 of a-z, 0-9 and _.
    """
    if not CHANNEL_NAME_PATTERN.match(text):
        raise InvalidInputError("A channel name must be 1 to 16 characters: a-z, 0-9 and _, starting with a letter")
    return ChannelName(text)


def check_connection(connection: ChannelConnection) -> ChannelConnection:
    """Returns the connection if every field is valid.

    Raises:
        InvalidInputError: A field is invalid; the message names the field and the rule.
    """
    parse_channel_name(connection.channel)
    if not CONNECTION_ID_PATTERN.match(connection.id):
        raise InvalidInputError("id must be 22 characters of base64url")
    if not _ACCOUNT.match(connection.account):
        raise InvalidInputError(f"account must be 1 to {MAX_ACCOUNT_CHARACTERS} visible ASCII characters")
    if len(connection.users) > MAX_USERS or not all(_USER.match(user) for user in connection.users):
        raise InvalidInputError(
            f"users must be at most {MAX_USERS} ids of users, each with 1 to 64 visible ASCII characters"
        )
    for name in connection.credentials.values():
        if parse_secret_name(name) in CALLER_KEYS:
            raise InvalidInputError(f"{name} is the key of the instance's callers and can't be a channel's credential")
    return connection


def account_to_save(changed: ChannelConnection, stored: ChannelConnection) -> str:
    """Returns the account with which a store saves a changed connection: it changes only from or to a placeholder."""
    return stored.account if changed.has_account and stored.has_account else changed.account
