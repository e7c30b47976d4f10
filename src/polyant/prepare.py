"""Makes the store ready to serve, or refuses to touch it."""

import logging

from polyant import home
from polyant.domain.audit import SERVER
from polyant.domain.errors import InstanceExistsError, UserExistsError
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.domain.use_cases.create_instance import CreateInstance
from polyant.domain.use_cases.create_user import CreateUser
from polyant.domain.users import Role
from polyant.parts import Parts
from polyant.settings import FIRST_EMAIL, SettingsError

log = logging.getLogger("polyant")

DEMO_SLUG = "demo-bot"


async def prepare(parts: Parts) -> None:
    """Checks the adapters, the key and the schema, migrates, and adds what the very first start needs.

    That is a first instance in a store that was never written to, and a first user where there is none.
    Where a check fails, nothing was changed.

    Raises:
        PolyantError: The master key isn't the one in use, the database doesn't answer or is newer than this program.
        SettingsError: A key is missing.
        AdapterError: A setting names an adapter that can't be used.
    """
    repo, key_check = await parts.repo(), await parts.key_check()
    # Last the one that makes the master key if there is none: all other settings have proved usable by then.
    for part in (
        *(parts.rate_limiter, parts.chat_models, parts.tools, parts.tool_servers),
        *(parts.user_repo, parts.session_repo, parts.audit_log, parts.turn_observers, parts.password_hasher),
        parts.supervisor,
    ):
        await part()
    check = CheckMasterKey(cipher=await parts.cipher(), key_check=key_check)
    if "database" in parts.made:
        await _migrate(parts, check)
    await check.keep()
    home.auth_secret_of(parts.settings, create=True)
    if (await repo.changes_since(0)).revision == 0:
        await _create_demo(parts)
    if not (await (await parts.user_repo()).list(limit=1)).total:
        await create_first_user(parts)


async def _migrate(parts: Parts, check: CheckMasterKey) -> None:
    database = await parts.database()
    match await database.schema():
        case "empty":
            home.create_home(parts.settings)
        case "older" | "current":
            await check.verify()
        case "newer":
            pass  # which `migrate` refuses
    await database.migrate()


async def _create_demo(parts: Parts) -> None:
    """Creates the first instance: of the vendor whose key the operator gave, else of the built-in demonstration."""
    providers = await parts.providers()
    environ = await parts.environ()
    with_key = (name for name, info in providers.items() if environ.get(info.environment_variable or "", "").strip())
    provider = next(with_key, "scripted" if "scripted" in providers else next(iter(providers)))
    create = CreateInstance(
        repo=await parts.repo(), clock=await parts.clock(), tokens=await parts.tokens(), providers=providers
    )
    try:
        await create(DEMO_SLUG, by=SERVER, name="Demo Bot", description="The first assistant", provider=provider)
    except InstanceExistsError:
        log.info("another process created the first instance")


async def create_first_user(parts: Parts) -> None:
    """Creates the first user, who can create others."""
    settings, users, hasher = parts.settings, await parts.user_repo(), await parts.password_hasher()
    email = settings.initial_admin_email or FIRST_EMAIL
    try:
        password = settings.initial_admin_password or home.initial_password_of(
            settings, (await parts.tokens()).password()
        )
    except SettingsError as error:
        log.warning("there is no user yet, and none was made (%s); `polyant users create EMAIL` makes one", error)
        return
    create = CreateUser(users=users, hasher=hasher, clock=await parts.clock(), tokens=await parts.tokens())
    try:
        await create(email, password, role=Role.SUPERADMIN, by=SERVER)
    except UserExistsError:
        log.info("another process created the first user")
        stored = await users.find(email)
        if stored is not None and not await hasher.verify(password, stored.password_hash):
            home.initial_password_file_of(settings).unlink(missing_ok=True)  # it was made on another machine
