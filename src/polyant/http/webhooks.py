"""/channels/{name}/{id}: the webhooks of chat platforms; a request is acknowledged once its events are stored."""

import math
from urllib.parse import parse_qsl

from litestar import asgi
from litestar.exceptions import NotFoundException
from litestar.types import HTTPScope, Receive, Send

from polyant.domain.channel_events import WebhookRefusedError, WebhookReply, WebhookRequest
from polyant.domain.channels import (
    CHANNEL_NAME_PATTERN,
    CONNECTION_ID_PATTERN,
    ChannelName,
    ConnectionId,
    UnknownConnectionError,
)
from polyant.domain.errors import AuthenticationError, InvalidInputError, RateLimitedError
from polyant.domain.limits import RateLimit
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.http.bodies import read_body_of
from polyant.http.injection import Instances
from polyant.http.throttle import Throttle

MAX_WEBHOOK_BYTES = 1024 * 1024
FORGED_LIMIT = RateLimit(60, 60)
"""The limit of requests with a wrong signature or an unknown address of a webhook, for each address of a client."""
_MAX_KNOWN = 10_000
_LIST_SECONDS = 1.0
_METHODS = frozenset({"GET", "POST"})
_PATH = "/channels/{channel:str}/{connection_id:str}"
_PARTS = 2
"""The parts of the path below `/channels`."""


class Webhooks:
    """Passes requests to the use case, which is imported when the first request arrives.

    Args:
        instances: Provides the use case.
        limiter: Counts forged requests; an address over the limit isn't counted again before its end.
        throttle: Names the client.
        clock: Measures how long addresses are over the limit.
        max_body_bytes: The server's limit of bodies, if it is less than that of webhooks.
    """

    def __init__(
        self, *, instances: Instances, limiter: RateLimiter, throttle: Throttle, clock: Clock, max_body_bytes: int
    ) -> None:
        self._instances = instances
        self._limiter = limiter
        self._throttle = throttle
        self._clock = clock
        self._max_bytes = min(MAX_WEBHOOK_BYTES, max_body_bytes)
        self._refused: dict[str, float] = {}
        """When the addresses over the limit may fail again, by the monotonic clock."""
        self._found: set[str] = set()
        """The ids of connections that exist; others aren't looked up for an address over the limit."""
        self._list_at = 0.0
        """When the connections may be listed again, by the monotonic clock."""

    async def reply(self, scope: HTTPScope, receive: Receive, *, channel: str, connection_id: str) -> WebhookReply:
        """Returns the response that the platform expects; the events of the request are stored.

        Raises:
            UnknownConnectionError: There is no such webhook.
            AuthenticationError: The request isn't from the platform.
            InvalidInputError: The request is malformed.
            RateLimitedError: The client sent too many forged requests.
            UnavailableError: The events can't be stored, so the platform has to deliver them again.
        """
        from polyant.domain.use_cases.channels.receive_events import ReceiveEvents  # noqa: PLC0415 - few servers have webhooks

        if not CHANNEL_NAME_PATTERN.match(channel) or not CONNECTION_ID_PATTERN.match(connection_id):
            raise UnknownConnectionError
        if connection_id not in self._found and not await self._is_listed(scope, connection_id):
            self._require_room(scope)
        body = await read_body_of(scope, receive, limit=self._max_bytes)
        receive_events = await self._instances.get(ReceiveEvents)
        request = WebhookRequest(
            method=scope["method"],
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            query=_query_of(scope),
            body=body,
        )
        try:
            reply = await receive_events(ChannelName(channel), ConnectionId(connection_id), request)
        except UnknownConnectionError:
            self._found.discard(connection_id)
            await self._count(scope)
            raise
        except WebhookRefusedError as error:
            self._note_found(connection_id)
            if not error.forged:
                raise InvalidInputError("Bad request") from None
            await self._count(scope)
            raise AuthenticationError("Unauthorized") from None
        self._note_found(connection_id)
        return reply

    async def _is_listed(self, scope: HTTPScope, connection_id: str) -> bool:
        """Returns whether the connection exists, for an address over the limit; reads them at most once a second.

        A proxy that isn't trusted gives all clients one address: a flood must not stop the platform's own requests.
        """
        now = self._clock.monotonic()
        if self._refused.get(self._throttle.key_of(scope), now) <= now:
            return False
        if now >= self._list_at:
            self._list_at = now + _LIST_SECONDS
            connections = await self._instances.get(ChannelConnections)
            self._found.update(each.id for each in await connections.list())
        return connection_id in self._found

    def _note_found(self, connection_id: str) -> None:
        if len(self._found) >= _MAX_KNOWN:
            self._found.clear()
        self._found.add(connection_id)

    def _require_room(self, scope: HTTPScope) -> None:
        """Returns if the client may send a forged request, as far as this process knows."""
        now = self._clock.monotonic()
        wait = self._refused.get(self._throttle.key_of(scope), now) - now
        if wait > 0:
            raise RateLimitedError(retry_after=math.ceil(wait))

    async def _count(self, scope: HTTPScope) -> None:
        """Counts a forged request, and returns if the client may send it."""
        self._require_room(scope)
        address = self._throttle.key_of(scope)
        state = await self._limiter.hit(f"webhook:{address}", FORGED_LIMIT)
        if not state.allowed:
            if len(self._refused) >= _MAX_KNOWN:
                self._refused.clear()
            self._refused[address] = self._clock.monotonic() + state.retry_after
            raise RateLimitedError(retry_after=state.retry_after)


def _query_of(scope: HTTPScope) -> dict[str, str]:
    query = scope["query_string"]
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {}


# An ASGI application, because Litestar's own handlers take a large part of the time of a delivery. It is mounted,
# because Litestar finds no ASGI application at a path with parameters.
@asgi("/channels", is_mount=True, copy_scope=False)
async def webhook_route(scope: HTTPScope, receive: Receive, send: Send) -> None:
    """Stores what a platform delivers, or responds to its check that the webhook belongs to the account's owner."""
    parts = scope["path"].strip("/").split("/")
    if len(parts) != _PARTS or scope["method"] not in _METHODS:
        raise NotFoundException
    scope["path_template"] = _PATH
    webhooks: Webhooks = scope["litestar_app"].state.webhooks
    reply = await webhooks.reply(scope, receive, channel=parts[0], connection_id=parts[1])
    headers = [
        (b"content-type", f"{reply.media_type}; charset=utf-8".encode()),
        (b"content-length", b"%d" % len(reply.body)),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})
