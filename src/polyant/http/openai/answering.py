"""Makes of a started turn the ASGI application that answers it."""

import os
import time

from litestar.types import Scope

from polyant.domain.use_cases.answer_chat import StartedTurn
from polyant.http.openai.answers import AnswerSettings, StreamedAnswer, WholeAnswer
from polyant.http.openai.mapping import Completion
from polyant.http.openai.wire import ChatCompletionRequest
from polyant.http.record import record_of
from polyant.http.turn_meter import TurnBook
from polyant.http.turns import RunningTurns


class Answering:
    """Answers turns as their callers want it: whole, or as a stream."""

    def __init__(self, *, turns: RunningTurns, book: TurnBook, settings: AnswerSettings) -> None:
        self._turns = turns
        self._book = book
        self._settings = settings

    def answer(self, turn: StartedTurn, wire: ChatCompletionRequest, scope: Scope) -> WholeAnswer | StreamedAnswer:
        """Returns what runs the turn and answers the request."""
        streamed = wire.stream is True
        slug = turn.instance.slug
        completion = Completion(id=f"chatcmpl-{os.urandom(12).hex()}", created=int(time.time()), slug=slug)
        meter = self._book.meter(turn.instance, record_of(scope), streamed=streamed)
        if not streamed:
            return WholeAnswer(turn.events, completion, meter=meter, turns=self._turns, settings=self._settings)
        include_usage = wire.stream_options is not None and wire.stream_options.include_usage is True
        return StreamedAnswer(
            turn.events,
            completion,
            include_usage=include_usage,
            meter=meter,
            turns=self._turns,
            settings=self._settings,
        )
