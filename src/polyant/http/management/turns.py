"""/api/instances/{slug}/turns: what recent turns took and cost."""

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.turn_records import TurnOutcome, TurnRecord
from polyant.domain.use_cases.list_turns import ListTurns
from polyant.http.management.wire import Answer, Moment, Page, Paging, slug_in
from polyant.http.refusals import read_refusals


class TurnOut(Answer, frozen=True, kw_only=True):
    """The metrics of one turn; for an unfinished one, steps and tokens are those up to its last finished model call."""

    at: Moment
    request_id: str
    outcome: TurnOutcome
    ms: float
    first_token_ms: float | None
    steps: int
    tool_calls: int
    failed_tool_calls: int
    prompt_tokens: int
    completion_tokens: int
    streamed: bool


class TurnList(Page, frozen=True):
    """A page of turns, newest first."""

    turns: tuple[TurnOut, ...]


class TurnsController(Controller):
    """The turns of one instance."""

    path = "/instances/{slug:str}/turns"
    tags = ("Turns",)

    @get(summary="List an instance's turns", responses=read_refusals(404))
    async def list_all(
        self,
        *,
        slug: FromPath[str],
        list_turns: NamedDependency[ListTurns],
        paging: NamedDependency[Paging],
    ) -> TurnList:
        """Lists recent turns, newest first: metrics, never text. A turn appears within seconds of its end."""
        page = await list_turns(slug_in(slug), limit=paging.limit, offset=paging.offset)
        return TurnList(tuple(map(_out, page.turns)), **paging.of(page.total))


def _out(turn: TurnRecord) -> TurnOut:
    return TurnOut(
        at=turn.at,
        request_id=turn.request_id,
        outcome=turn.outcome,
        ms=turn.milliseconds,
        first_token_ms=turn.first_token_milliseconds,
        steps=turn.steps,
        tool_calls=turn.tool_calls,
        failed_tool_calls=turn.failed_tool_calls,
        prompt_tokens=turn.prompt_tokens,
        completion_tokens=turn.completion_tokens,
        streamed=turn.streamed,
    )
