"""Use case: change who may talk through a connection, and how messages are handled."""

from collections.abc import Callable, Collection

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import (
    AmbiguousSends,
    BurstPolicy,
    ChannelAccess,
    ChannelConnection,
    ChannelName,
    ConnectionChangedError,
    check_connection,
)
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Slug
from polyant.domain.pairing import PairingCodes
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.clock import Clock
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.domain.versioned_edit import edit_stored


class ChannelChange(msgspec.Struct, frozen=True, kw_only=True):
    """The changed choices; None keeps the stored one."""

    access: ChannelAccess | None = None
    users: frozenset[str] | None = None
    burst: BurstPolicy | None = None
    ambiguous_sends: AmbiguousSends | None = None

    @property
    def fields(self) -> dict[str, object]:
        """The changed fields of the connection."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


class UpdateChannel:
    """Changes stored choices; nothing changes on the platform."""

    def __init__(
        self,
        *,
        list_channels: ListChannels,
        connections: ChannelConnections,
        channels: ChannelRegistry,
        pairing: PairingCodes,
        clock: Clock,
    ) -> None:
        self._list_channels = list_channels
        self._connections = connections
        self._channels = channels
        self._pairing = pairing
        self._clock = clock

    async def __call__(
        self,
        slug: Slug,
        channel: ChannelName,
        change: ChannelChange,
        *,
        by: Actor,
        expected_versions: Collection[int] | None = None,
    ) -> ChannelConnection:
        """Returns the changed connection.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownConnectionError: The instance isn't connected to that channel.
            InvalidInputError: The channel doesn't support the access, or a user's id is invalid.
            ConnectionChangedError: The connection has none of the expected versions.
        """
        if change.access is not None:
            info = (await self._channels.get(channel)).info
            if change.access not in info.accesses:
                supported = ", ".join(info.accesses)
                raise InvalidInputError(f"{info.label} doesn't support the access {change.access}: use {supported}")
        fields = change.fields

        def changed(connection: ChannelConnection) -> ChannelConnection:
            return msgspec.structs.replace(connection, **fields)

        audit = Change(by, "channel.update", (channel, *fields))
        return await self._edit(slug, channel, changed, audit, expected_versions=expected_versions)

    async def approve(self, slug: Slug, channel: ChannelName, code: str, *, by: Actor) -> ChannelConnection:
        """Returns the connection, through which the user with that pairing code may now talk.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownConnectionError: The instance isn't connected to that channel.
            InvalidInputError: It isn't a code of this connection.
        """
        user = await self._pairing.user_of((await self._list_channels.one(slug, channel)).id, code)

        def changed(connection: ChannelConnection) -> ChannelConnection:
            return msgspec.structs.replace(connection, users=connection.users | {user})

        return await self._edit(slug, channel, changed, Change(by, "channel.approve", (channel,)))

    async def _edit(
        self,
        slug: Slug,
        channel: ChannelName,
        changed: Callable[[ChannelConnection], ChannelConnection],
        change: Change,
        *,
        expected_versions: Collection[int] | None = None,
    ) -> ChannelConnection:
        async def save(connection: ChannelConnection) -> ChannelConnection:
            now = self._clock.now()
            edited = check_connection(msgspec.structs.replace(changed(connection), updated_at=now))
            return await self._connections.save(edited, audit=change.entry(now, instance=slug))

        return await edit_stored(
            lambda: self._list_channels.one(slug, channel),
            save,
            expected_versions=expected_versions,
            conflict=lambda _: ConnectionChangedError(),
        )
