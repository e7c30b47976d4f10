"""/api/instances/{slug}/playground: talk to an instance under a session instead of a key."""

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ASGIApp

from polyant.domain.errors import InvalidInputError
from polyant.domain.use_cases.try_instance import TryInstance
from polyant.http.bodies import require_json
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import slug_in
from polyant.http.openai.chat_completions import chat_answers
from polyant.http.openai.mapping import decode_request, to_domain, turn_context
from polyant.http.openai.responses import ResponseSettings, respond
from polyant.http.record import record_of
from polyant.http.throttle import Throttle


class PlaygroundEndpoint:
    """Takes the request of a session to the ASGI application that responds to it."""

    def __init__(self, *, try_instance: TryInstance, throttle: Throttle, settings: ResponseSettings) -> None:
        self._try_instance = try_instance
        self._throttle = throttle
        self._settings = settings

    async def __call__(self, request: ApiRequest, path: str) -> ASGIApp:
        """Returns the application that responds to the request."""
        await self._throttle.chat(request.scope)
        slug = slug_in(path)
        require_json(request.scope)
        wire = decode_request(await request.body())
        chat = to_domain(wire)
        if chat.model != slug:
            raise InvalidInputError(f"model must be '{slug}', as in the path - at `$.model`")
        record = record_of(request.scope)
        record.slug = slug
        context = turn_context(
            wire,
            channel="playground",
            request_id=record.request_id,
            address=self._throttle.key_of(request.scope),
            account=request.user.id,
        )
        return respond(await self._try_instance(chat, context), wire, self._settings)


class PlaygroundController(Controller):
    """The playground of one instance."""

    path = "/instances/{slug:str}/playground"
    tags = ("Playground",)

    @post(summary="Talk to an instance", status_code=200, responses=chat_answers(403, 404))
    async def create(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        playground: NamedDependency[PlaygroundEndpoint],
    ) -> ASGIApp:
        """Runs one turn as /v1/chat/completions does, limited as it is; a disabled instance can be tried as well."""
        return await playground(request, slug)
