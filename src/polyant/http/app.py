"""Builds the ASGI application from what bootstrap gives it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from polyant.domain.limits import RateLimit
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.use_cases.answer_chat import AnswerChat
from polyant.domain.use_cases.identify_caller import IdentifyCaller
from polyant.domain.use_cases.list_models import ListModels
from polyant.domain.use_cases.show_model import ShowModel
from polyant.http.cors import Cors
from polyant.http.edge import Edge
from polyant.http.errors import ClientGoneError, handle_client_gone, handle_domain_error, handle_http_exception
from polyant.http.health import HealthController, Readiness
from polyant.http.openai.answers import AnswerSettings
from polyant.http.openai.chat_completions import ChatCompletionsController, ChatEndpoint
from polyant.http.openai.models import ModelsController, ModelsEndpoint
from polyant.http.shutdown import graceful_shutdown
from polyant.http.throttle import Throttle
from polyant.http.turns import RunningTurns


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided about HTTP; times in seconds."""

    rate_limit: RateLimit | None = RateLimit(20, 60)
    trusted_hops: int = 0
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: int = 4 * 2**20
    max_concurrent_turns: int = 1_000
    shutdown: float = 10.0
    answers: AnswerSettings = AnswerSettings()


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What the routes call."""

    answer_chat: AnswerChat
    list_models: ListModels
    show_model: ShowModel
    identify_caller: IdentifyCaller
    rate_limiter: RateLimiter
    clock: Clock
    check_storage: Callable[[], Awaitable[object]]


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The routes' own parts, built once when the server starts."""

    chat: ChatEndpoint
    models: ModelsEndpoint
    readiness: Readiness


def build_app(settings: HttpSettings, open_services: Callable[[], AbstractAsyncContextManager[Services]]) -> ASGIApp:
    """Returns the ASGI application; its lifespan opens the services and ends running turns before it closes them."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        turns = RunningTurns(most=settings.max_concurrent_turns)
        async with open_services() as services:
            app.state.endpoints = _endpoints(settings, services, turns)
            with graceful_shutdown(turns, seconds=settings.shutdown):
                yield

    app = Litestar(
        route_handlers=[ChatCompletionsController, ModelsController, HealthController],
        dependencies={
            "chat": Provide(_chat, sync_to_thread=False),
            "models": Provide(_models, sync_to_thread=False),
            "readiness": Provide(_readiness, sync_to_thread=False),
        },
        exception_handlers={
            HTTPException: handle_http_exception,
            ClientGoneError: handle_client_gone,
            Exception: handle_domain_error,
        },
        lifespan=[lifespan],
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
        openapi_config=None,
    )
    return Edge(app, cors=Cors(settings.cors_origins), allowed_hosts=settings.allowed_hosts)


def _endpoints(settings: HttpSettings, services: Services, turns: RunningTurns) -> Endpoints:
    throttle = Throttle(services.rate_limiter, chat_limit=settings.rate_limit, trusted_hops=settings.trusted_hops)
    return Endpoints(
        chat=ChatEndpoint(answer_chat=services.answer_chat, throttle=throttle, turns=turns, settings=settings.answers),
        models=ModelsEndpoint(
            identify=services.identify_caller,
            list_models=services.list_models,
            show_model=services.show_model,
            throttle=throttle,
        ),
        readiness=Readiness(clock=services.clock, turns=turns, check_storage=services.check_storage),
    )


def _chat(state: State) -> ChatEndpoint:
    return state.endpoints.chat  # type: ignore[no-any-return]


def _models(state: State) -> ModelsEndpoint:
    return state.endpoints.models  # type: ignore[no-any-return]


def _readiness(state: State) -> Readiness:
    return state.endpoints.readiness  # type: ignore[no-any-return]
