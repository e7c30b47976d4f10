"""/api/instances/{slug}/turns: the metrics of recent turns."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from polyant.domain.turn_records import TurnOutcome, TurnRecord
from polyant.domain.use_cases.list_turns import ListTurns
from polyant.http.error_responses import read_errors
from polyant.http.management.wire import Page, Paging, ResponseBody, Timestamp, slug_in


class TurnOut(ResponseBody, frozen=True, kw_only=True):
    """The metrics of one turn; for an unfinished one, steps and tokens are those up to its last finished model call."""

    at: Annotated[Timestamp, Meta(description="Start of the turn")]
    request_id: Annotated[str, Meta(description="The X-Request-ID of the request")]
    outcome: TurnOutcome
    error: Annotated[str | None, Meta(description="Why the turn failed or timed out; null for other outcomes")]
    ms: Annotated[float, Meta(description="Duration in milliseconds")]
    first_token_ms: Annotated[float | None, Meta(description="Milliseconds until the first token; null without one")]
    steps: Annotated[int, Meta(description="Model calls")]
    tool_calls: int
    failed_tool_calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: Annotated[
        int, Meta(description="The part of promptTokens that the provider read from its prompt cache")
    ]
    streamed: Annotated[bool, Meta(description="Whether the response was streamed")]


class TurnList(Page, frozen=True):
    """A page of turns, newest first."""

    turns: tuple[TurnOut, ...]


class TurnsController(Controller):
    """The turns of one instance."""

    path = "/instances/{slug:str}/turns"
    tags = ("Turns",)

    @get(summary="List an instance's turns", responses=read_errors(404))
    async def list_all(
        self,
        *,
        slug: FromPath[str],
        list_turns: NamedDependency[ListTurns],
        paging: NamedDependency[Paging],
    ) -> TurnList:
        """Returns the metrics of recent turns, newest first. A turn appears within seconds of its end."""
        page = await list_turns(slug_in(slug), limit=paging.limit, offset=paging.offset)
        return TurnList(tuple(map(_out, page.turns)), **paging.of(page.total))


def _out(turn: TurnRecord) -> TurnOut:
    return TurnOut(
        at=turn.at,
        request_id=turn.request_id,
        outcome=turn.outcome,
        error=turn.error,
        ms=turn.milliseconds,
        first_token_ms=turn.first_token_milliseconds,
        steps=turn.steps,
        tool_calls=turn.tool_calls,
        failed_tool_calls=turn.failed_tool_calls,
        prompt_tokens=turn.prompt_tokens,
        completion_tokens=turn.completion_tokens,
        cached_tokens=turn.cached_tokens,
        streamed=turn.streamed,
    )
