"""The portable content of a channel connection: an operator's choices without the account and its credentials."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from polyant.domain.channels import (
    AmbiguousSends,
    BurstPolicy,
    ChannelAccess,
    ChannelConnection,
    ChannelName,
    ConnectionId,
    ConnectionState,
    Delivery,
    check_connection,
)
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import InstanceId, Slug
from polyant.domain.secrets import SecretName

_SOME_ID = ConnectionId("-" * 22)


class ChannelContent(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a connection that belong to no account."""

    channel: ChannelName
    delivery: Delivery
    access: ChannelAccess
    users: frozenset[str] = frozenset()
    burst: BurstPolicy = BurstPolicy.COALESCE
    ambiguous_sends: AmbiguousSends = AmbiguousSends.RESEND
    options: Mapping[str, str] = {}

    @property
    def choices(self) -> dict[str, object]:
        """The fields that an import changes in a connection with an account."""
        return {name: getattr(self, name) for name in ("access", "users", "burst", "ambiguous_sends")}


class ExportedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a connection, and the secrets to enter again."""

    content: ChannelContent
    secrets: tuple[SecretName, ...]


def exported_channel(connection: ChannelConnection) -> ExportedChannel:
    """Returns the portable content of the connection."""
    content = ChannelContent(**{name: getattr(connection, name) for name in ChannelContent.__struct_fields__})
    return ExportedChannel(content=content, secrets=tuple(sorted(connection.credentials.values())))


def disconnected(
    content: ChannelContent, connection_id: ConnectionId, *, instance_id: InstanceId, slug: Slug, at: datetime
) -> ChannelConnection:
    """Returns a connection of the instance with that content, but without an account."""
    return ChannelConnection(
        **msgspec.structs.asdict(content),
        id=connection_id,
        account=f"-{connection_id}",  # no platform has such ids, so it takes no account away from another instance
        instance_id=instance_id,
        slug=slug,
        state=ConnectionState.DISCONNECTED,
        created_at=at,
        updated_at=at,
    )


def check_contents(contents: Sequence[ChannelContent]) -> None:
    """Returns if each content is valid, and no channel occurs twice.

    Raises:
        InvalidInputError: A field is invalid, or a channel occurs twice.
    """
    for content in contents:
        check_connection(
            disconnected(
                content, _SOME_ID, instance_id=InstanceId(""), slug=Slug(""), at=datetime.fromtimestamp(0, UTC)
            )
        )
    if twice := _first_twice([content.channel for content in contents]):
        raise InvalidInputError(f"channels must name each channel once: {twice} occurs twice")


def _first_twice(names: Collection[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
