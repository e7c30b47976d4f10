"""Metrics for Prometheus, through its client and Litestar's plugin; imported only where they are asked for."""

import hmac
from collections.abc import Collection
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.plugins.prometheus import PrometheusController
from prometheus_client import Counter, Histogram

from polyant.domain.chat import ToolFinished
from polyant.domain.errors import AuthenticationError
from polyant.domain.secrets import SecretText
from polyant.domain.turn_records import TurnRecord
from polyant.http.auth import bearer_in
from polyant.http.metrics import Metrics

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

_REQUESTS = Counter("polyant_http_requests", "Requests answered", ("method", "route", "status"))
_REQUEST_SECONDS = Histogram("polyant_http_request_seconds", "Time to the end of an answer", ("route",))
_THROTTLED = Counter("polyant_throttled_requests", "Chat requests over the rate limit")
_TURNS = Counter("polyant_turns", "Turns that ended", ("instance", "outcome"))
_TURN_SECONDS = Histogram("polyant_turn_seconds", "Duration of a turn", buckets=_SECONDS)
_FIRST_TOKEN_SECONDS = Histogram(
    "polyant_first_token_seconds", "Time from a turn's start to its text", buckets=_SECONDS
)
_STEPS = Histogram(
    "polyant_turn_steps", "Model calls of a turn that made any", buckets=(1, 2, 3, 5, 8, 12, 15, 25, 50, 100)
)
_TOOL_SECONDS = Histogram("polyant_tool_seconds", "Duration of a tool's run", ("tool",), buckets=_SECONDS)
_TOOL_FAILURES = Counter("polyant_tool_failures", "Runs of a tool that failed", ("tool",))
_TOKENS = Counter("polyant_tokens", "Tokens that providers counted", ("instance", "provider", "kind"))


class PrometheusMetrics(Metrics):
    """Counts in the client's own registry, which all workers share if PROMETHEUS_MULTIPROC_DIR says where."""

    def __init__(self, tools: Collection[str]) -> None:
        """Takes the names of the tools that are installed: models call whatever they think of."""
        self._tools = frozenset(tools)

    def request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        _REQUESTS.labels(method, route, status).inc()
        _REQUEST_SECONDS.labels(route).observe(seconds)

    def turn(self, record: TurnRecord, *, provider: str) -> None:
        _TURNS.labels(record.slug, record.outcome.value).inc()
        _TURN_SECONDS.observe(record.milliseconds / 1_000)
        if record.first_token_milliseconds is not None:
            _FIRST_TOKEN_SECONDS.observe(record.first_token_milliseconds / 1_000)
        if record.steps:
            _STEPS.observe(record.steps)
        _TOKENS.labels(record.slug, provider, "prompt").inc(record.prompt_tokens)
        _TOKENS.labels(record.slug, provider, "completion").inc(record.completion_tokens)

    def tool(self, event: ToolFinished) -> None:
        name = event.name if event.name in self._tools else "mcp" if "__" in event.name else "unknown"
        _TOOL_SECONDS.labels(name).observe(event.milliseconds / 1_000)
        if not event.ok:
            _TOOL_FAILURES.labels(name).inc()

    def throttled(self) -> None:
        _THROTTLED.inc()


def metrics_controller(token: SecretText) -> type[PrometheusController]:
    """Returns the route that shows the metrics to whoever sends the token."""

    def require_token(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        given = bearer_in(connection.scope)
        if given is None:
            raise AuthenticationError("Missing Bearer token")
        if not hmac.compare_digest(given.reveal().encode(), token.reveal().encode()):
            raise AuthenticationError("Invalid metrics token")

    class MetricsController(PrometheusController):
        """GET /metrics."""

        tags = ("Server",)
        guards = (require_token,)
        include_in_schema = False

    return MetricsController
