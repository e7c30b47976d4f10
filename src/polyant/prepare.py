"""Prepares the data for serving: checks it, migrates it and creates the first instance and user."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from polyant import home
from polyant.adapter_groups import CHANNEL
from polyant.container import Container
from polyant.domain.audit import SERVER
from polyant.domain.errors import InstanceExistsError, ReadOnlyError, UserExistsError
from polyant.domain.injectables import Environ
from polyant.domain.ports.archive import Archive
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.document_reader import DocumentReader
from polyant.domain.ports.image_fetcher import ImageFetcher
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.instance_history import InstanceHistory
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.key_check import KeyCheck
from polyant.domain.ports.lanes import Lanes
from polyant.domain.ports.login_history import LoginHistory
from polyant.domain.ports.media_store import MediaStore
from polyant.domain.ports.outbox import Outbox
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.rate_policy import RatePolicy
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.tool_servers import ToolServers
from polyant.domain.ports.transcriber import Transcriber
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.create_user import CreateUser
from polyant.domain.users import Role
from polyant.plugins import require_installed
from polyant.settings import FIRST_EMAIL, Settings, SettingsError
from polyant.wiring import DATABASE

log = logging.getLogger("polyant")

DEMO_SLUG = "demo-bot"

_PORTS = (
    *(InstanceRepo, InstanceHistory, SkillFiles, KeyCheck, RateLimiter, RatePolicy, Mapping[str, ChatModel]),
    *(Mapping[str, Tool], ToolServers, ImageFetcher, MediaStore, Transcriber, DocumentReader),
    *(UserRepo, SessionRepo, LoginHistory, AuditLog, Mapping[str, TurnObserver], PasswordHasher, Supervisor),
    *(ChannelConnections, ConversationRepo, ConversationMaintenance, Lanes, Inbox, Outbox),
    # Last, because it creates a missing master key: by then, all other settings are known to be valid.
    SecretCipher,
)


async def prepare(container: Container, settings: Settings) -> None:
    """Checks the adapters, the master key and the schema, migrates the database and creates initial data.

    The initial data is a first instance if no instance was ever stored, and a first user if there is no user. If a
    check fails, nothing has been changed.

    Raises:
        PolyantError: The master key is wrong, or the database is unavailable or newer than this version of polyant.
        SettingsError: A key is missing.
        WiringError: A setting names an adapter that can't be used.
    """
    await _prepare_store(container, settings, _PORTS)
    if (await (await container.get(InstanceRepo)).changes_since(0)).revision == 0:
        await _create_demo(container)
    if not (await (await container.get(UserRepo)).list(limit=1)).total:
        await create_first_user(container, settings)


async def prepare_for_restore(container: Container, settings: Settings) -> None:
    """Checks the adapters, the master key and the schema, and creates missing keys and tables, but no data.

    Raises:
        PolyantError: The master key is wrong, or the database is unavailable or newer than this version of polyant.
        SettingsError: A key is missing.
        WiringError: A setting names an adapter that can't be used.
    """
    await _prepare_store(container, settings, (Archive, KeyCheck, PasswordHasher, SecretCipher))


async def _prepare_store(container: Container, settings: Settings, ports: Sequence[Any]) -> None:
    """Builds the ports in their order, and creates missing keys and tables."""
    container.check(*ports)
    require_installed(CHANNEL, settings.channels)  # each is imported when an instance uses it
    for port in ports:
        await container.get(port)
    check = await container.get(CheckMasterKey)
    if any(container.needs(port, DATABASE) for port in ports):
        await _migrate(container, settings, check)
    await check.keep()
    home.auth_secret_of(settings, create=True)


async def _migrate(container: Container, settings: Settings, check: CheckMasterKey) -> None:
    database = await container.get(DATABASE)
    match await database.schema():
        case "empty":
            home.create_home(settings)
        case "older" | "current":
            await check.verify()
        case "newer":
            pass  # `migrate` raises the error
    await database.migrate()


async def _create_demo(container: Container) -> None:
    """Creates the first instance, with the first provider that has a key in the environment, else with the demo."""
    providers = await container.get(Mapping[str, ProviderInfo])
    environ = await container.get(Environ)
    with_key = (name for name, info in providers.items() if environ.get(info.environment_variable or "", "").strip())
    provider = next(with_key, "scripted" if "scripted" in providers else next(iter(providers)))
    create = await container.get(CreateInstance)
    try:
        await create(
            NewInstance(slug=DEMO_SLUG, name="Demo Bot", description="The first assistant", provider=provider),
            by=SERVER,
        )
    except InstanceExistsError:
        log.info("another process created the first instance")
    except ReadOnlyError:
        log.warning("there is no instance yet, and INSTANCE_REPO is read-only")


async def create_first_user(container: Container, settings: Settings) -> None:
    """Creates the first user, who is a superadmin."""
    email = settings.initial_admin_email or FIRST_EMAIL
    generated = (await container.get(TokenSource)).password()
    try:
        password = settings.initial_admin_password or home.initial_password_of(settings, generated)
    except SettingsError as error:
        log.warning("the first user was not created (%s); run `polyant users create EMAIL` to create one", error)
        return
    create = await container.get(CreateUser)
    try:
        await create(email, password, role=Role.SUPERADMIN, by=SERVER)
    except UserExistsError:
        log.info("another process created the first user")
        await remove_outdated_password(container, settings)  # another machine may have generated the password


async def remove_outdated_password(container: Container, settings: Settings) -> None:
    """Removes the file with the first user's password, unless that user can log in with it."""
    password = home.stored_initial_password(settings)
    if password is None:
        return
    first = await (await container.get(UserRepo)).find(settings.initial_admin_email or FIRST_EMAIL)
    hasher = await container.get(PasswordHasher)
    if first is None or not await hasher.verify(password, first.password_hash):
        home.initial_password_file_of(settings).unlink(missing_ok=True)
