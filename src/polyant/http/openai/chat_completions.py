"""POST /v1/chat/completions."""

from litestar import Controller, Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ASGIApp

from polyant.domain.use_cases.answer_chat import AnswerChat
from polyant.http.auth import bearer_in
from polyant.http.bodies import read_body, require_json
from polyant.http.error_responses import error_responses
from polyant.http.openai.ignored import report_ignored
from polyant.http.openai.mapping import decode_request, to_domain, turn_context
from polyant.http.openai.responses import ResponseSettings, respond
from polyant.http.openai.sampling import checked_user_of
from polyant.http.openai.wire import ChatCompletion
from polyant.http.record import record_of
from polyant.http.throttle import Throttle
from polyant.http.trace_headers import trace_in


class ChatEndpoint:
    """Creates the response to a chat request.

    Args:
        answer_chat: Starts the turn.
        throttle: Applies the rate limit.
        settings: Controls how the response is sent.
    """

    def __init__(self, *, answer_chat: AnswerChat, throttle: Throttle, settings: ResponseSettings) -> None:
        self._answer_chat = answer_chat
        self._throttle = throttle
        self._settings = settings

    async def __call__(self, request: Request[object, object, State]) -> ASGIApp:
        """Returns the ASGI application that responds, after it has checked rate limit, body, model and key in order."""
        scope = request.scope
        address = await self._throttle.chat(scope)
        require_json(scope)
        wire = decode_request(await read_body(request))
        chat = to_domain(wire)
        report_ignored(scope, wire)
        record = record_of(scope)
        record.slug = chat.model
        context = turn_context(
            wire, channel="api", request_id=record.request_id, address=address, trace=trace_in(scope)
        )
        run = await self._answer_chat(chat, bearer_in(scope), context)
        if run.keeps_conversation:
            checked_user_of(wire)
            report_ignored(scope, wire, keeps_conversation=True)
        return respond(run, wire, self._settings)


def chat_responses(*statuses: int) -> dict[int, ResponseSpec]:
    """Returns the responses to a chat request, for the OpenAPI document.

    Args:
        *statuses: Error statuses of the route in addition to the common ones.
    """
    whole = ResponseSpec(
        ChatCompletion, description="The chat completion, whole or as a stream of chunks", generate_examples=False
    )
    return {200: whole, **error_responses(400, 401, 413, 415, 429, 502, 503, 504, *statuses)}


class ChatCompletionsController(Controller):
    """The chat completions endpoint."""

    path = "/v1/chat/completions"
    tags = ("OpenAI",)

    @post(
        status_code=200, summary="Create a chat completion", security=[{"bearer": []}, {}], responses=chat_responses()
    )
    async def create(
        self, request: Request[object, object, State], chat_endpoint: NamedDependency[ChatEndpoint]
    ) -> ASGIApp:
        """Runs one turn of the instance whose slug is `model`, and returns a chat completion.

        If `stream` is true, it returns the chunks as server-sent events. An instance with auth on requires its API
        key as a Bearer token.
        """
        return await chat_endpoint(request)
