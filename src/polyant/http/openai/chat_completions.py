"""POST /v1/chat/completions."""

import os
import time

from litestar import Controller, Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import InternalServerException
from litestar.types import ASGIApp, Scope

from polyant.domain.errors import InvalidInputError
from polyant.domain.use_cases.answer_chat import AnswerChat
from polyant.http.auth import bearer_in
from polyant.http.errors import ClientGoneError
from polyant.http.openai.answers import AnswerSettings, StreamedAnswer, WholeAnswer
from polyant.http.openai.mapping import Completion, decode_request, to_domain
from polyant.http.record import record_of
from polyant.http.throttle import Throttle
from polyant.http.turns import RunningTurns


class ChatEndpoint:
    """Takes a request from the throttle to the ASGI application that answers it."""

    def __init__(
        self, *, answer_chat: AnswerChat, throttle: Throttle, turns: RunningTurns, settings: AnswerSettings
    ) -> None:
        self._answer_chat = answer_chat
        self._throttle = throttle
        self._turns = turns
        self._settings = settings

    async def __call__(self, request: Request[object, object, State]) -> WholeAnswer | StreamedAnswer:
        """Returns what answers the request: throttle, body, model and key are checked, in this order."""
        scope = request.scope
        await self._throttle.chat(scope)
        _require_json(scope)
        wire = decode_request(await _body_of(request))
        chat = to_domain(wire)
        record_of(scope).slug = chat.model
        events = await self._answer_chat(chat, bearer_in(scope))
        completion = Completion(id=f"chatcmpl-{os.urandom(12).hex()}", created=int(time.time()), slug=chat.model)
        if not chat.stream:
            return WholeAnswer(events, completion, turns=self._turns, settings=self._settings)
        include_usage = wire.stream_options is not None and wire.stream_options.include_usage is True
        return StreamedAnswer(
            events, completion, include_usage=include_usage, turns=self._turns, settings=self._settings
        )


class ChatCompletionsController(Controller):
    """The conversation endpoint."""

    path = "/v1/chat/completions"
    tags = ("OpenAI",)

    @post(status_code=200, summary="Talk to an instance")
    async def create(self, request: Request[object, object, State], chat: NamedDependency[ChatEndpoint]) -> ASGIApp:
        """Runs one turn and answers with a chat completion, or with a stream of its chunks."""
        return await chat(request)


async def _body_of(request: Request[object, object, State]) -> bytes:
    try:
        return await request.body()
    except InternalServerException:  # what Litestar raises when the body breaks off
        raise ClientGoneError from None


def _require_json(scope: Scope) -> None:
    content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type != b"application/json" and not (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    ):
        raise InvalidInputError("The body must be JSON: send Content-Type: application/json")
