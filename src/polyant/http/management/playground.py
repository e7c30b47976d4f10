"""/api/instances/{slug}/playground: chat with an instance by session instead of API key."""

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ASGIApp

from polyant.domain.errors import InvalidInputError
from polyant.domain.turn_context import TurnContext
from polyant.domain.use_cases.try_instance import TryInstance
from polyant.http.bodies import require_json
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import slug_in
from polyant.http.openai.chat_completions import chat_responses
from polyant.http.openai.ignored import report_ignored
from polyant.http.openai.mapping import decode_request, to_domain, turn_context
from polyant.http.openai.responses import ResponseSettings, respond
from polyant.http.openai.wire import ChatCompletionRequest
from polyant.http.record import record_of
from polyant.http.throttle import Throttle
from polyant.http.trace_headers import trace_in


class PlaygroundController(Controller):
    """The playground of one instance."""

    path = "/instances/{slug:str}/playground"
    tags = ("Playground",)

    @post(summary="Try an instance", status_code=200, responses=chat_responses(403, 404))
    async def create(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        throttle: NamedDependency[Throttle],
        try_instance: NamedDependency[TryInstance],
        response_settings: NamedDependency[ResponseSettings],
    ) -> ASGIApp:
        """Runs one turn like POST /v1/chat/completions, with the same rate limit.

        It requires a session instead of the instance's API key and also works for a disabled instance.
        """
        await throttle.chat(request.scope)
        tried = slug_in(slug)
        require_json(request.scope)
        wire = decode_request(await request.body())
        chat = to_domain(wire)
        report_ignored(request.scope, wire)
        if chat.model != tried:
            raise InvalidInputError(f"model must be '{tried}', as in the path - at `$.model`")
        record_of(request.scope).slug = tried
        turn = await try_instance(chat, _context_of(request, wire, throttle))
        return respond(turn, wire, response_settings)


def _context_of(request: ApiRequest, wire: ChatCompletionRequest, throttle: Throttle) -> TurnContext:
    return turn_context(
        wire,
        channel="playground",
        request_id=record_of(request.scope).request_id,
        address=throttle.key_of(request.scope),
        account=request.user.id,
        trace=trace_in(request.scope),
    )
