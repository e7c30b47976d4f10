"""A connected channel in a database, and the deliveries of its platform."""

import msgspec

from bench.bare_webhook import SECRET
from polyant.container import Container
from polyant.domain.audit import SERVER
from polyant.domain.channels import ChannelAccess, ChannelConnection, ChannelName, ConnectionId, Delivery
from polyant.domain.instances import Slug
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.clock import Clock
from polyant.domain.secrets import SecretName
from polyant.domain.use_cases.set_secret import SetSecret

_ID = ConnectionId("b" * 22)
_PEERS = 500
_SECRETS = {SecretName("telegram_token"): "1:bench", SecretName("telegram_webhook_secret"): SECRET}

WEBHOOK_PATH = f"/channels/telegram/{_ID}"
WEBHOOK_HEADERS = {"x-telegram-bot-api-secret-token": SECRET}


async def connect_channel(container: Container) -> None:
    """Connects the instance `plain` to a bot on Telegram, without a call of the platform."""
    set_secret = await container.get(SetSecret)
    instance = await set_secret.set_many(
        Slug("plain"), {str(name): value for name, value in _SECRETS.items()}, by=SERVER
    )
    now = (await container.get(Clock)).now()
    connection = ChannelConnection(
        id=_ID,
        channel=ChannelName("telegram"),
        account="1",
        account_name="@bench_bot",
        instance_id=instance.id,
        slug=instance.slug,
        delivery=Delivery.WEBHOOK,
        credentials=dict(zip(("token", "webhook_secret"), _SECRETS, strict=True)),
        access=ChannelAccess.EVERYBODY,
        created_at=now,
        updated_at=now,
    )
    await (await container.get(ChannelConnections)).add(connection)


def delivery_of(number: int) -> bytes:
    """Returns the body of a delivery with a message, which is new to the server."""
    user = {"id": 1_000 + number % _PEERS, "is_bot": False, "first_name": "Ada", "language_code": "en"}
    chat = {"id": user["id"], "first_name": "Ada", "type": "private"}
    message = {"message_id": number, "from": user, "chat": chat, "date": 1_764_200_000, "text": "x" * 200}
    return msgspec.json.encode({"update_id": number, "message": message})
