"""The composition root: settings become adapters, adapters become use cases, use cases become the application."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from litestar.types import ASGIApp

from polyant import logs
from polyant.adapters.cache.fresh_instance_repo import FreshInstanceRepo
from polyant.adapters.system.file_limit import raise_file_limit
from polyant.domain.errors import PolyantError
from polyant.domain.instances import InstanceQuery
from polyant.domain.running_turns import RunningTurns
from polyant.domain.turn_observation import TurnObservation
from polyant.domain.use_cases.answer_chat import AnswerChat
from polyant.domain.use_cases.identify_caller import IdentifyCaller
from polyant.domain.use_cases.list_models import ListModels
from polyant.domain.use_cases.run_turn import RunTurn
from polyant.domain.use_cases.show_model import ShowModel
from polyant.home import auth_secret_of, require_given_secrets
from polyant.http.app import HttpSettings, Services, build_app
from polyant.http.lifespan import ExplainedStart
from polyant.http.management.services import Management, ManagementPorts
from polyant.http.openai.responses import ResponseSettings
from polyant.http.session_tokens import JwtSessionTokens
from polyant.parts import Parts, open_parts
from polyant.plugins import AdapterError
from polyant.prepare import prepare
from polyant.settings import Settings, SettingsError, read_settings


def create_app(environ: Mapping[str, str] | None = None) -> ASGIApp:
    """Returns the ASGI application that the environment describes; the factory for `uvicorn --factory`.

    Raises:
        SystemExit: A setting can't be used (status 3, which keeps uvicorn from starting a worker again and again).
    """
    environ = os.environ if environ is None else environ
    try:
        settings = read_settings(environ)
        require_given_secrets(settings)
    except SettingsError as error:
        for line in str(error).splitlines():
            print(f"polyant: {line}", file=sys.stderr)  # noqa: T201 - there is no logging yet
        raise SystemExit(3) from None
    logs.configure(settings.log_format)
    raise_file_limit()

    @asynccontextmanager
    async def open_services() -> AsyncIterator[Services]:
        async with open_parts(settings, environ, create=True) as parts:
            await prepare(parts)
            async with TurnObservation(await parts.turn_observers()) as observation:
                services = await _services(parts, observation)
                _tune_garbage_collection()
                yield services

    app = build_app(_http_settings(settings), open_services)
    return ExplainedStart(app, (PolyantError, SettingsError, AdapterError))


def _tune_garbage_collection() -> None:
    """Has the collector look less often at what isn't garbage: the server's own parts, and what open streams hold.

    What is thrown away at the end of a request goes by reference counts. `python -m bench --case idle` shows what a
    thousand open streams cost an ordinary request: a quarter of its CPU time with Python's own thresholds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 100)


async def _services(parts: Parts, observation: TurnObservation) -> Services:
    repo, cipher = await parts.cached_repo(), await parts.cipher()
    storage, clock = await parts.repo(), await parts.clock()
    turns = RunningTurns(max_turns=parts.settings.max_concurrent_turns)
    run_turn = RunTurn(
        supervisor=await parts.supervisor(),
        turns=turns,
        observation=observation,
        clock=clock,
        tokens=await parts.tokens(),
        budget=await parts.turn_budget(),
    )
    management = Management.on(await _management_ports(parts, run_turn))
    return Services(
        answer_chat=AnswerChat(repo=repo, cipher=cipher, clock=clock, run_turn=run_turn),
        list_models=ListModels(repo=repo),
        show_model=ShowModel(repo=repo),
        # Asked seldom, and then for a key that may have been issued this very second: so not from the cache.
        identify_caller=IdentifyCaller(repo=storage, cipher=cipher, recognise=management.recognise, clock=clock),
        management=management,
        turns=turns,
        rate_limiter=await parts.rate_limiter(),
        clock=clock,
        check_storage=lambda: storage.list(InstanceQuery(limit=1)),
    )


async def _management_ports(parts: Parts, run_turn: RunTurn) -> ManagementPorts:
    return ManagementPorts(
        repo=FreshInstanceRepo(await parts.repo(), await parts.cached_repo()),
        users=await parts.user_repo(),
        sessions=await parts.session_repo(),
        audit_log=await parts.audit_log(),
        turn_log=await parts.turn_log(),
        hasher=await parts.password_hasher(),
        cipher=await parts.cipher(),
        session_tokens=JwtSessionTokens(auth_secret_of(parts.settings, create=False)),
        run_turn=run_turn,
        clock=await parts.clock(),
        tokens=await parts.tokens(),
        providers=await parts.providers(),
        tools=await parts.tools(),
        tool_access=await parts.tool_access(),
        system_prompts=await parts.system_prompts(),
        adapter_options=await parts.adapter_options(),
    )


def _http_settings(settings: Settings) -> HttpSettings:
    return HttpSettings(
        rate_limit=settings.rate_limit,
        trusted_hops=settings.trust_proxy,
        cors_origins=settings.cors_origins,
        allowed_hosts=settings.allowed_hosts,
        max_body_bytes=settings.max_body_bytes,
        shutdown=settings.shutdown_seconds,
        metrics_token=settings.metrics_token,
        responses=ResponseSettings(
            heartbeat=settings.heartbeat_seconds,
            stream_head=settings.stream_head_seconds,
            report_usage=settings.report_usage,
        ),
    )
