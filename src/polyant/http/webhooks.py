"""/channels/{name}/{id}: the webhooks of chat platforms; a request is acknowledged once its events are stored."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from polyant.domain.channel_events import WebhookRefusedError, WebhookRequest
from polyant.domain.channels import (
    CHANNEL_NAME_PATTERN,
    CONNECTION_ID_PATTERN,
    ChannelName,
    ConnectionId,
    UnknownConnectionError,
)
from polyant.domain.errors import AuthenticationError, InvalidInputError, RateLimitedError
from polyant.domain.limits import RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.http.bodies import read_body
from polyant.http.injection import Instances
from polyant.http.throttle import Throttle

MAX_WEBHOOK_BYTES = 1024 * 1024
FORGED_LIMIT = RateLimit(60, 60)
"""The limit of requests with a wrong signature, for each address."""


class Webhooks:
    """Passes requests to the use case, which is imported when the first request arrives.

    Args:
        instances: Provides the use case.
        limiter: Counts requests with a wrong signature.
        throttle: Names the client.
    """

    def __init__(self, *, instances: Instances, limiter: RateLimiter, throttle: Throttle) -> None:
        self._instances = instances
        self._limiter = limiter
        self._throttle = throttle

    async def __call__(self, request: Request[Any, Any, Any], channel: str, connection_id: str) -> Response[bytes]:
        """Returns the response that the platform expects; its events are stored.

        Raises:
            UnknownConnectionError: There is no such webhook.
            AuthenticationError: The request isn't from the platform.
            InvalidInputError: The request is malformed.
            RateLimitedError: The client sent too many requests with a wrong signature.
            UnavailableError: The events can't be stored, so the platform has to deliver them again.
        """
        from polyant.domain.use_cases.channels.receive_events import ReceiveEvents  # noqa: PLC0415 - few servers have webhooks

        if not CHANNEL_NAME_PATTERN.match(channel) or not CONNECTION_ID_PATTERN.match(connection_id):
            raise UnknownConnectionError
        body = await read_body(request)
        if len(body) > MAX_WEBHOOK_BYTES:
            raise HTTPException(status_code=413, detail="request entity too large")
        receive, scope = await self._instances.get(ReceiveEvents), request.scope
        arrived = WebhookRequest(
            method=request.method,
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            query={name: str(value) for name, value in request.query_params.items()} if scope["query_string"] else {},
            body=body,
        )
        try:
            reply = await receive(ChannelName(channel), ConnectionId(connection_id), arrived)
        except WebhookRefusedError as error:
            raise await self._refusal(request, forged=error.forged) from None
        return Response(reply.body, status_code=reply.status, media_type=reply.media_type)

    async def _refusal(self, request: Request[Any, Any, Any], *, forged: bool) -> Exception:
        if not forged:
            return InvalidInputError("Bad request")
        state = await self._limiter.hit(f"webhook:{self._throttle.key_of(request.scope)}", FORGED_LIMIT)
        if not state.allowed:
            return RateLimitedError(retry_after=state.retry_after)
        return AuthenticationError("Unauthorized")


class WebhookController(Controller):
    """Receives what platforms deliver."""

    path = "/channels/{channel:str}/{connection_id:str}"
    include_in_schema = False

    @post(status_code=200)
    async def deliver(
        self,
        request: Request[Any, Any, Any],
        *,
        channel: FromPath[str],
        connection_id: FromPath[str],
        webhooks: NamedDependency[Webhooks],
    ) -> Response[bytes]:
        """Stores the events of a delivery."""
        return await webhooks(request, channel, connection_id)

    @get()
    async def verify(
        self,
        request: Request[Any, Any, Any],
        *,
        channel: FromPath[str],
        connection_id: FromPath[str],
        webhooks: NamedDependency[Webhooks],
    ) -> Response[bytes]:
        """Responds to a platform's check that the webhook belongs to the account's owner."""
        return await webhooks(request, channel, connection_id)
