"""Prometheus metrics of requests, and the route that exposes all metrics; imported only if metrics are on."""

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.plugins.prometheus import PrometheusController
from prometheus_client import Counter, Histogram

from polyant.domain.access import InvalidCredentialError
from polyant.domain.errors import AuthenticationError
from polyant.domain.secrets import SecretText
from polyant.http.auth import bearer_in
from polyant.http.metrics import Metrics
from polyant.http.throttle import Throttle

_REQUESTS = Counter("polyant_http_requests", "Requests answered", ("method", "route", "status"))
_REQUEST_SECONDS = Histogram("polyant_http_request_seconds", "Time to the end of a response", ("route",))
_THROTTLED = Counter("polyant_throttled_requests", "Chat requests over the rate limit")


class PrometheusMetrics(Metrics):
    """Records metrics in the Prometheus client's registry; workers share it if PROMETHEUS_MULTIPROC_DIR is set."""

    def request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        _REQUESTS.labels(method, route, status).inc()
        _REQUEST_SECONDS.labels(route).observe(seconds)

    def throttled(self) -> None:
        _THROTTLED.inc()


def metrics_controller(token: SecretText) -> type[PrometheusController]:
    """Returns the controller of GET /metrics, which requires the token."""

    async def require_token(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        given = bearer_in(connection.scope)
        if given is None:
            raise AuthenticationError("Missing Bearer token")
        throttle: Throttle = connection.app.state.throttle

        presented = given.reveal().encode()

        async def compare() -> None:
            if not hmac.compare_digest(presented, token.reveal().encode()):
                raise InvalidCredentialError("Invalid metrics token")

        await throttle.checked(connection.scope, given, compare)

    class MetricsController(PrometheusController):
        """GET /metrics."""

        tags = ("Server",)
        guards = (require_token,)
        include_in_schema = False

    return MetricsController
