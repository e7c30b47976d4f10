"""The composition root: builds the ASGI application from the settings."""

import asyncio
import contextlib
import gc
import logging
import os
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager

from polyant import logs
from polyant.adapter_variables import unknown_variables
from polyant.adapters.cache.fresh_instance_repo import FreshInstanceRepo
from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.system.allocator import return_free_memory_regularly, return_large_blocks
from polyant.adapters.system.file_limit import raise_file_limit
from polyant.arguments import WiringError
from polyant.container import Container, Recipe
from polyant.domain.conversation_retention import ConversationRetention
from polyant.domain.errors import PolyantError, StorageUnavailableError
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.use_cases.answer_chat import AnswerChat
from polyant.domain.use_cases.channels.open_account import OpenAccount
from polyant.domain.use_cases.identify_caller import IdentifyCaller
from polyant.domain.use_cases.list_models import ListModels
from polyant.domain.use_cases.show_model import ShowModel
from polyant.home import auth_secret_of, initial_password_file_of, require_given_secrets
from polyant.http.app import HttpSettings, build_app
from polyant.http.connections import ConnectionLimits
from polyant.http.edge import is_loopback
from polyant.http.first_password import FirstPassword
from polyant.http.lifespan import StartupErrorReporter
from polyant.http.openai.responses import ResponseSettings
from polyant.http.operator_proof import OperatorProof
from polyant.http.session_tokens import JwtSessionTokens
from polyant.prepare import prepare
from polyant.settings import FIRST_EMAIL, ServeRole, Settings, SettingsError, read_settings
from polyant.wiring import open_container

log = logging.getLogger("polyant")

_CONNECTION_POLL_SECONDS = 1.0


def create_app(environ: Mapping[str, str] | None = None) -> StartupErrorReporter:
    """Returns the ASGI application for the environment; this is the factory for `uvicorn --factory`.

    Raises:
        SystemExit: A setting is invalid. The status is 3, so that uvicorn doesn't keep restarting its workers.
    """
    environ = os.environ if environ is None else environ
    try:
        settings = read_settings(environ)
        require_given_secrets(settings)
    except SettingsError as error:
        logs.write_errors(str(error), logs.format_in(environ))
        raise SystemExit(3) from None
    logs.configure(settings.log_format)
    for unknown in unknown_variables(environ, settings, import_all=False):
        log.warning("%s %s. %s", unknown.name, unknown.description, unknown.fix)
    raise_file_limit()
    return_large_blocks()

    @asynccontextmanager
    async def open_instances() -> AsyncIterator[Container]:
        # Use cases read instances from the database; only chat requests read them from the cache.
        overrides = {InstanceRepo: FreshInstanceRepo}
        async with open_container(settings, environ, create=True, overrides=overrides) as container:
            await prepare(container, settings)
            _register_http(container, settings)
            await container.get(ConversationRetention)  # it works in the background
            memory = return_free_memory_regularly(await container.get(Clock))
            async with _background(memory), _channels(container, settings):
                yield container

    app = build_app(_http_settings(settings), open_instances, on_start=_tune_garbage_collection)
    expected = (PolyantError, SettingsError, WiringError)
    return StartupErrorReporter(app, expected, connection_limits=_connection_limits(settings))


@asynccontextmanager
async def _channels(container: Container, settings: Settings) -> AsyncIterator[None]:
    """Answers the events of channels within the block, if this process has that role."""
    if settings.serve_role is ServeRole.API or not settings.channels:
        yield
        return
    async with _background(_run_channels(container)):
        yield


@asynccontextmanager
async def _background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs the work within the block, and cancels it at the end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _run_channels(container: Container) -> None:
    """Waits until an instance has a channel, and only then imports the work of channels."""
    connections = await container.get(ChannelConnections)
    while not await _is_connected(connections):  # noqa: ASYNC110 - another process may connect one
        await asyncio.sleep(_CONNECTION_POLL_SECONDS)
    from polyant.domain.use_cases.channels.run_channels import RunChannels  # noqa: PLC0415 - most servers have no channels

    try:
        await (await container.get(RunChannels))()
    except Exception:
        log.exception("Channels aren't answered by this process: an internal error ended their work")


async def _is_connected(connections: ChannelConnections) -> bool:
    try:
        return bool(await connections.list())
    except StorageUnavailableError:
        return False


def _tune_garbage_collection() -> None:
    """Reduces garbage collection of long-lived objects: the server's own objects and those of open streams.

    Reference counting frees the objects of a finished request. With Python's default thresholds, a thousand open
    streams take a quarter of the CPU time of an ordinary request: see `python -m bench --case idle`.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 100)


def _register_http(container: Container, settings: Settings) -> None:
    """Registers the types that only the server needs, and the repository that each chat use case reads from."""
    container.register(SessionTokens, lambda: JwtSessionTokens(auth_secret_of(settings, create=False)))
    container.register(OperatorProof, lambda: OperatorProof(auth_secret_of(settings, create=False)), listed=False)
    for use_case in (AnswerChat, ListModels, ShowModel, OpenAccount):
        container.register(use_case, Recipe(use_case, overrides={InstanceRepo: CachedInstanceRepo}), listed=False)
    # Reads from the database, not the cache: it is called rarely, and the key may have just been issued.
    container.register(IdentifyCaller, IdentifyCaller, listed=False)


def _connection_limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        request=settings.request_seconds,
        stall=settings.stall_seconds,
        keep_alive=settings.keep_alive_seconds,
        drain=min(settings.drain_seconds, settings.shutdown_seconds / 2),
        max_connections=settings.max_connections,
        error_format=settings.error_format,
    )


def _http_settings(settings: Settings) -> HttpSettings:
    return HttpSettings(
        rate_limit=settings.rate_limit,
        trusted_hops=settings.trust_proxy,
        cors_origins=settings.cors_origins,
        allowed_hosts=settings.allowed_hosts,
        max_body_bytes=settings.max_body_bytes,
        error_format=settings.error_format,
        shutdown=settings.shutdown_seconds,
        panel=settings.serves_panel,
        channels_only=settings.serve_role is ServeRole.CHANNELS,
        exposed=not is_loopback(settings.host) or settings.trust_proxy > 0 or settings.public_url is not None,
        public_url=settings.public_url,
        first_password=FirstPassword(
            email=settings.initial_admin_email or FIRST_EMAIL, file=initial_password_file_of(settings)
        ),
        metrics_token=settings.metrics_token,
        responses=ResponseSettings(
            heartbeat=settings.heartbeat_seconds,
            stream_head=settings.stream_head_seconds,
            report_usage=settings.report_usage,
        ),
    )
