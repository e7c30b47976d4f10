"""Builds the ASGI application from the operator's settings and the container."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.template import TemplateConfig
from litestar.types import ASGIApp, ControllerRouterHandler

from polyant.domain.adapter_health import AdapterHealth
from polyant.domain.failed_credentials import FailedCredentialLimit
from polyant.domain.limits import RateLimit
from polyant.domain.login_limits import LoginLimits
from polyant.domain.password_queue import PasswordQueue
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.rate_limits import CallerLimits
from polyant.domain.running_turns import CallerGoneError, RunningTurns
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.answer_chat import AnswerChat
from polyant.domain.use_cases.check_storage import CheckStorage
from polyant.domain.use_cases.recognise_user import RecogniseUser
from polyant.http import defaults
from polyant.http.cors import Cors
from polyant.http.docs import DocsController
from polyant.http.edge import Edge
from polyant.http.error_bodies import ErrorFormat
from polyant.http.errors import handle_caller_gone, handle_domain_error, handle_http_exception
from polyant.http.first_password import FirstPassword
from polyant.http.health import HealthController, Readiness
from polyant.http.injection import Injection, Instances
from polyant.http.management.authentication import SessionGate
from polyant.http.management.routes import management_router
from polyant.http.metrics import Metrics, NoMetrics
from polyant.http.openai.chat_completions import ChatCompletionsController, ChatEndpoint
from polyant.http.openai.models import ModelsController
from polyant.http.openai.responses import ResponseSettings
from polyant.http.openapi import ApiDescription
from polyant.http.seen_request import SeenRequestController
from polyant.http.shutdown import graceful_shutdown
from polyant.http.throttle import Throttle
from polyant.http.webhooks import Webhooks, webhook_route


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's HTTP settings; times are in seconds."""

    rate_limit: RateLimit | None = defaults.RATE_LIMIT
    trusted_hops: int = 0
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: int = defaults.MAX_BODY_BYTES
    error_format: ErrorFormat = ErrorFormat.NESTJS
    shutdown: float = defaults.SHUTDOWN_SECONDS
    panel: bool = False
    """Whether the admin panel is served."""
    channels_only: bool = False
    """Whether only webhooks, health checks and metrics are served; it requires that the panel is off."""
    exposed: bool = False
    """Whether other machines can reach the server."""
    public_url: str | None = None
    """The https origin at which the internet reaches the server."""
    first_password: FirstPassword | None = None
    """The generated password of the first user, which the panel asks to replace."""
    metrics_token: SecretText | None = None
    """The bearer token required by /metrics; None disables metrics."""
    responses: ResponseSettings = ResponseSettings()


OpenInstances = Callable[[], AbstractAsyncContextManager[Instances]]
"""Opens the source of the instances that the routes use: ports, use cases and other declared dependencies."""


def build_app(
    settings: HttpSettings, open_instances: OpenInstances, *, on_start: Callable[[], None] = lambda: None
) -> ASGIApp:
    """Returns the ASGI application; its lifespan opens the instances and ends running turns before it closes them.

    Args:
        settings: The operator's HTTP settings.
        open_instances: Opens the source of the instances that the routes use.
        on_start: Called when all instances are built, before the first request.
    """
    metrics, metrics_routes = _metrics(settings)
    panel_routes, template_config = _panel(settings)
    api_routes = () if settings.channels_only else (*_api_routes(), DocsController, *panel_routes)
    route_handlers = [HealthController, SeenRequestController, webhook_route, *api_routes, *metrics_routes]
    injection = Injection(route_handlers)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_instances() as instances:
            own = await _own_instances(settings, instances, metrics)
            await injection.fill(own, instances)
            app.state.session_gate, app.state.throttle = own[SessionGate], own[Throttle]
            app.state.webhooks = own[Webhooks]
            app.state.panel = _panel_in(own) if settings.panel else None
            on_start()
            turns = await instances.get(RunningTurns)
            passwords = await instances.get(PasswordQueue)
            with graceful_shutdown(turns, seconds=settings.shutdown, on_close=passwords.close):
                yield

    app = Litestar(
        route_handlers=route_handlers,
        dependencies=injection.dependencies,
        exception_handlers={
            HTTPException: _http_exception_handler(settings),
            CallerGoneError: handle_caller_gone,
            Exception: handle_domain_error,
        },
        lifespan=[lifespan],
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
        openapi_config=None,
        template_config=template_config,
    )
    return Edge(
        app,
        cors=Cors(settings.cors_origins),
        allowed_hosts=_allowed_hosts(settings),
        metrics=metrics,
        max_body_bytes=settings.max_body_bytes,
        error_format=settings.error_format,
    )


@cache
def describe() -> ApiDescription:
    """Returns the API description of the routes; each process builds it once."""
    routes = _routes()
    return ApiDescription(routes, Injection(routes).dependencies)


def _routes() -> list[ControllerRouterHandler]:
    return [*_api_routes(), HealthController]


def _api_routes() -> list[ControllerRouterHandler]:
    return [ChatCompletionsController, ModelsController, management_router()]


def _panel(settings: HttpSettings) -> tuple[list[ControllerRouterHandler], TemplateConfig[Any] | None]:
    """Returns the routes of the panel and the settings of its templates."""
    if not settings.panel:
        return [], None
    from polyant.http.panel.routes import panel_routes  # noqa: PLC0415 - needed only if the panel is on
    from polyant.http.panel.templates import template_config  # noqa: PLC0415

    return panel_routes(), template_config()


def _http_exception_handler(settings: HttpSettings) -> Callable[[Request[Any, Any, Any], HTTPException], Response[Any]]:
    """Returns the handler of Litestar's own errors; with the panel, browsers get pages for unknown paths."""
    if not settings.panel:
        return handle_http_exception
    from polyant.http.panel.unknown import handle_unknown  # noqa: PLC0415 - needed only if the panel is on

    return handle_unknown


def _allowed_hosts(settings: HttpSettings) -> tuple[str, ...]:
    """Returns the host names that are accepted on a loopback address, the public one included."""
    public_host = urlsplit(settings.public_url or "").hostname
    return (*settings.allowed_hosts, public_host) if public_host else settings.allowed_hosts


def _metrics(settings: HttpSettings) -> tuple[Metrics, list[ControllerRouterHandler]]:
    """Returns the metrics collector and the routes that expose its metrics."""
    if settings.metrics_token is None:
        return NoMetrics(), []
    from polyant.http import prometheus  # noqa: PLC0415 - needed only if metrics are on

    return prometheus.PrometheusMetrics(), [prometheus.metrics_controller(settings.metrics_token)]


async def _own_instances(settings: HttpSettings, instances: Instances, metrics: Metrics) -> dict[type, Any]:
    """Returns the instances that the HTTP layer itself provides, by type."""
    throttle = Throttle(
        await instances.get(CallerLimits),
        await instances.get(FailedCredentialLimit),
        await instances.get(LoginLimits),
        trusted_hops=settings.trusted_hops,
        metrics=metrics,
    )
    gate = SessionGate(
        recognise=await instances.get(RecogniseUser),
        throttle=throttle,
        trusted_hops=settings.trusted_hops,
        public_url=settings.public_url,
    )
    chat = ChatEndpoint(answer_chat=await instances.get(AnswerChat), throttle=throttle, settings=settings.responses)
    readiness = Readiness(
        clock=await instances.get(Clock),
        turns=await instances.get(RunningTurns),
        check_storage=await instances.get(CheckStorage),
        adapter_health=await instances.get(AdapterHealth),
    )
    webhooks = Webhooks(
        instances=instances,
        limiter=await instances.get(RateLimiter),
        throttle=throttle,
        clock=await instances.get(Clock),
        max_body_bytes=settings.max_body_bytes,
    )
    own: list[object] = [throttle, webhooks, gate, chat, readiness, settings.responses, describe()]
    if settings.panel:
        own += await _panel_instances(settings, instances, gate)
    return {type(instance): instance for instance in own}


def _panel_in(own: Mapping[type, Any]) -> Any:
    from polyant.http.panel.pages import Panel  # noqa: PLC0415 - needed only if the panel is on

    return own[Panel]


async def _panel_instances(settings: HttpSettings, instances: Instances, gate: SessionGate) -> list[object]:
    """Returns the instances that the panel's pages use, the panel first."""
    from polyant.http.panel import assembly  # noqa: PLC0415 - needed only if the panel is on

    panel = await assembly.open_panel(
        gate,
        instances,
        exposed=settings.exposed,
        public_url=settings.public_url,
        max_form_bytes=settings.max_body_bytes,
        first_password=settings.first_password,
    )
    return await assembly.panel_instances(
        panel,
        instances,
        rate_limit=settings.rate_limit,
        trusted_hops=settings.trusted_hops,
        metrics=settings.metrics_token is not None,
    )
