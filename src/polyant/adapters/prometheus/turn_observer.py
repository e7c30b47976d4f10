"""Counts turns, tools and tokens in the Prometheus client's registry."""

from collections.abc import Mapping

from prometheus_client import Counter, Histogram

from polyant.domain.chat import StepFinished, ToolFinished
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.turn_observer import TurnObserver, unobserved
from polyant.domain.turn_records import ObservedTurn, TurnRecord

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

_TURNS = Counter("polyant_turns", "Turns that ended", ("instance", "outcome"))
_TURN_SECONDS = Histogram("polyant_turn_seconds", "Duration of a turn", buckets=_SECONDS)
_FIRST_TOKEN_SECONDS = Histogram(
    "polyant_first_token_seconds", "Time from a turn's start to its text", buckets=_SECONDS
)
_STEPS = Histogram(
    "polyant_turn_steps", "Model calls of a turn that made any", buckets=(1, 2, 3, 5, 8, 12, 15, 25, 50, 100)
)
_TOOL_SECONDS = Histogram("polyant_tool_seconds", "Duration of a tool call", ("tool",), buckets=_SECONDS)
_TOOL_FAILURES = Counter("polyant_tool_failures", "Tool calls that failed", ("tool",))
_TOKENS = Counter("polyant_tokens", "Tokens that providers counted", ("instance", "provider", "kind"))


class PrometheusTurnObserver(TurnObserver):
    """Updates metrics in the client's registry; all workers share it if PROMETHEUS_MULTIPROC_DIR is set.

    Args:
        tools: The installed tools. Only their names become labels, because a model may call any name.
    """

    def __init__(self, *, tools: Mapping[str, Tool]) -> None:
        self._tools = frozenset(tools)

    @unobserved
    async def turn_started(self, turn: ObservedTurn) -> None:
        """Does nothing: a turn is counted when it ends."""

    @unobserved
    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        """Does nothing: the turn's record has the number of steps."""

    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        name = tool.name if tool.name in self._tools else "mcp" if "__" in tool.name else "unknown"
        _TOOL_SECONDS.labels(name).observe(tool.milliseconds / 1_000)
        if not tool.ok:
            _TOOL_FAILURES.labels(name).inc()

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        _TURNS.labels(record.slug, record.outcome.value).inc()
        _TURN_SECONDS.observe(record.milliseconds / 1_000)
        if record.first_token_milliseconds is not None:
            _FIRST_TOKEN_SECONDS.observe(record.first_token_milliseconds / 1_000)
        if record.steps:
            _STEPS.observe(record.steps)
        _TOKENS.labels(record.slug, turn.provider, "prompt").inc(record.prompt_tokens)
        _TOKENS.labels(record.slug, turn.provider, "completion").inc(record.completion_tokens)
        if record.cached_tokens:  # without a prompt cache, there is no such series
            _TOKENS.labels(record.slug, turn.provider, "cached").inc(record.cached_tokens)
