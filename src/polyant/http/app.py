"""Builds the ASGI application from what bootstrap gives it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, ControllerRouterHandler

from polyant.domain.limits import RateLimit
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.running_turns import CallerGoneError, RunningTurns
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.answer_chat import AnswerChat
from polyant.domain.use_cases.identify_caller import IdentifyCaller
from polyant.domain.use_cases.list_models import ListModels
from polyant.domain.use_cases.show_model import ShowModel
from polyant.http import defaults
from polyant.http.cors import Cors
from polyant.http.docs import DocsController
from polyant.http.edge import Edge
from polyant.http.errors import handle_caller_gone, handle_domain_error, handle_http_exception
from polyant.http.health import HealthController, Readiness
from polyant.http.management.authentication import SessionGate
from polyant.http.management.playground import PlaygroundEndpoint
from polyant.http.management.routes import management_router
from polyant.http.management.services import Management
from polyant.http.metrics import Metrics, NoMetrics
from polyant.http.openai.chat_completions import ChatCompletionsController, ChatEndpoint
from polyant.http.openai.models import ModelsController, ModelsEndpoint
from polyant.http.openai.responses import ResponseSettings
from polyant.http.openapi import ApiDescription
from polyant.http.shutdown import graceful_shutdown
from polyant.http.throttle import Throttle


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided about HTTP; times in seconds."""

    rate_limit: RateLimit | None = defaults.RATE_LIMIT
    trusted_hops: int = 0
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: int = defaults.MAX_BODY_BYTES
    shutdown: float = defaults.SHUTDOWN_SECONDS
    metrics_token: SecretText | None = None
    """What a scraper of metrics has to send; without one there are none."""
    responses: ResponseSettings = ResponseSettings()


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What the routes call."""

    answer_chat: AnswerChat
    list_models: ListModels
    show_model: ShowModel
    identify_caller: IdentifyCaller
    management: Management
    rate_limiter: RateLimiter
    turns: RunningTurns
    clock: Clock
    check_storage: Callable[[], Awaitable[object]]


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The routes' own parts, built once when the server starts; handlers get each by its name."""

    chat: ChatEndpoint
    models: ModelsEndpoint
    readiness: Readiness
    api: Management
    gate: SessionGate
    playground: PlaygroundEndpoint
    description: ApiDescription


def build_app(settings: HttpSettings, open_services: Callable[[], AbstractAsyncContextManager[Services]]) -> ASGIApp:
    """Returns the ASGI application; its lifespan opens the services and ends running turns before it closes them."""
    metrics, metrics_routes = _metrics(settings)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state.endpoints = _endpoints(settings, services, metrics=metrics, description=describe())
            with graceful_shutdown(services.turns, seconds=settings.shutdown):
                yield

    app = Litestar(
        route_handlers=[*_routes(), DocsController, *metrics_routes],
        dependencies=_dependencies(),
        exception_handlers={
            HTTPException: handle_http_exception,
            CallerGoneError: handle_caller_gone,
            Exception: handle_domain_error,
        },
        lifespan=[lifespan],
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
        openapi_config=None,
    )
    return Edge(app, cors=Cors(settings.cors_origins), allowed_hosts=settings.allowed_hosts, metrics=metrics)


def describe() -> ApiDescription:
    """Returns what can be said of the routes."""
    return ApiDescription(_routes(), _dependencies())


def _routes() -> list[ControllerRouterHandler]:
    return [ChatCompletionsController, ModelsController, management_router(), HealthController]


def _dependencies() -> dict[str, Provide]:
    return {name: _endpoint(name) for name in Endpoints.__struct_fields__}


def _metrics(settings: HttpSettings) -> tuple[Metrics, list[ControllerRouterHandler]]:
    """Returns what measures, and the routes that show it."""
    if settings.metrics_token is None:
        return NoMetrics(), []
    from polyant.http import prometheus  # noqa: PLC0415 - only where metrics are asked for

    return prometheus.PrometheusMetrics(), [prometheus.metrics_controller(settings.metrics_token)]


def _endpoints(
    settings: HttpSettings, services: Services, *, metrics: Metrics, description: ApiDescription
) -> Endpoints:
    management = services.management
    throttle = Throttle(
        services.rate_limiter, chat_limit=settings.rate_limit, trusted_hops=settings.trusted_hops, metrics=metrics
    )
    return Endpoints(
        chat=ChatEndpoint(answer_chat=services.answer_chat, throttle=throttle, settings=settings.responses),
        models=ModelsEndpoint(
            identify=services.identify_caller,
            list_models=services.list_models,
            show_model=services.show_model,
            throttle=throttle,
        ),
        readiness=Readiness(clock=services.clock, turns=services.turns, check_storage=services.check_storage),
        api=management,
        gate=SessionGate(
            recognise=management.recognise,
            throttle=throttle,
            trusted_hops=settings.trusted_hops,
        ),
        playground=PlaygroundEndpoint(
            try_instance=management.try_instance, throttle=throttle, settings=settings.responses
        ),
        description=description,
    )


def _endpoint(name: str) -> Provide:
    def provide(state: State) -> Any:
        return getattr(state.endpoints, name)

    return Provide(provide, sync_to_thread=False)
