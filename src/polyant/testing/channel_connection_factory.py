"""Valid channel connections for tests."""

import secrets
from datetime import UTC, datetime
from typing import Any

import msgspec

from polyant.domain.channels import ChannelAccess, ChannelConnection, ChannelName, ConnectionId, Delivery
from polyant.domain.instances import InstanceId, Slug
from polyant.domain.secrets import SecretName

_NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def connection_of(**fields: Any) -> ChannelConnection:
    """Returns a connection that was never stored, with a random id and the given fields."""
    connection = ChannelConnection(
        id=ConnectionId(secrets.token_urlsafe(16)),
        channel=ChannelName("telegram"),
        account="4711",
        account_name="@demo_bot",
        instance_id=InstanceId("0f" * 16),
        slug=Slug("demo-bot"),
        delivery=Delivery.WEBHOOK,
        credentials={"token": SecretName("telegram_token")},
        options={"language": "de"},
        access=ChannelAccess.PAIRING,
        users=frozenset({"1", "2"}),
        created_at=_NOW,
        updated_at=_NOW,
    )
    return msgspec.structs.replace(connection, **fields)
