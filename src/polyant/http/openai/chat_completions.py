"""POST /v1/chat/completions."""

from litestar import Controller, Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ASGIApp

from polyant.domain.use_cases.answer_chat import AnswerChat
from polyant.http.auth import bearer_in
from polyant.http.bodies import read_body, require_json
from polyant.http.openai.mapping import decode_request, to_domain, turn_context
from polyant.http.openai.responses import ResponseSettings, respond
from polyant.http.openai.wire import ChatCompletion
from polyant.http.record import record_of
from polyant.http.refusals import refusals
from polyant.http.throttle import Throttle


class ChatEndpoint:
    """Takes a request from the throttle to the ASGI application that responds to it."""

    def __init__(self, *, answer_chat: AnswerChat, throttle: Throttle, settings: ResponseSettings) -> None:
        self._answer_chat = answer_chat
        self._throttle = throttle
        self._settings = settings

    async def __call__(self, request: Request[object, object, State]) -> ASGIApp:
        """Returns the application that responds: throttle, body, model and key are checked, in this order."""
        scope = request.scope
        await self._throttle.chat(scope)
        require_json(scope)
        wire = decode_request(await read_body(request))
        chat = to_domain(wire)
        record = record_of(scope)
        record.slug = chat.model
        context = turn_context(wire, channel="api", request_id=record.request_id, address=self._throttle.key_of(scope))
        return respond(await self._answer_chat(chat, bearer_in(scope), context), wire, self._settings)


def chat_answers(*statuses: int) -> dict[int, ResponseSpec]:
    """Returns what a chat request is answered with, for the OpenAPI document; with other statuses than its own ones."""
    whole = ResponseSpec(ChatCompletion, description="The answer, whole or as a stream", generate_examples=False)
    return {200: whole, **refusals(400, 401, 413, 429, 502, 503, 504, *statuses)}


class ChatCompletionsController(Controller):
    """The conversation endpoint."""

    path = "/v1/chat/completions"
    tags = ("OpenAI",)

    @post(status_code=200, summary="Talk to an instance", security=[{"bearer": []}, {}], responses=chat_answers())
    async def create(
        self, request: Request[object, object, State], chat_endpoint: NamedDependency[ChatEndpoint]
    ) -> ASGIApp:
        """Runs one turn and answers with a chat completion, or with a stream of its chunks."""
        return await chat_endpoint(request)
