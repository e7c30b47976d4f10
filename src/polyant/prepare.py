"""Makes the store ready to serve, or refuses to touch it."""

import logging

from polyant import home
from polyant.domain.errors import InstanceExistsError
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.domain.use_cases.create_instance import CreateInstance
from polyant.parts import Parts

log = logging.getLogger("polyant")

DEMO_SLUG = "demo-bot"


async def prepare(parts: Parts) -> None:
    """Checks the adapters, the key and the schema, migrates, and at the very first start adds a first instance.

    Where a check fails, nothing was changed.

    Raises:
        PolyantError: The master key isn't the one in use, the database doesn't answer or is newer than this program.
        SettingsError: A key is missing.
        AdapterError: A setting names an adapter that can't be used.
    """
    repo, key_check = await parts.repo(), await parts.key_check()
    # Last the one that makes the master key if there is none: all other settings have proved usable by then.
    for part in (parts.rate_limiter, parts.chat_models, parts.tools, parts.supervisor):
        await part()
    check = CheckMasterKey(cipher=await parts.cipher(), key_check=key_check)
    if "database" in parts.made:
        await _migrate(parts, check)
    await check.keep()
    home.auth_secret_of(parts.settings, create=True)
    if (await repo.changes_since(0)).revision == 0:
        await _create_demo(parts)


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
        await create(DEMO_SLUG, name="Demo Bot", description="The first assistant", provider=provider)
    except InstanceExistsError:
        log.info("another process created the first instance")
