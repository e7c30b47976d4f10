"""Opens what commands work with, beside a server that may be running."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from polyant.domain.enabled_tools import EnabledTool, enabled_tools
from polyant.domain.instances import Instance, Slug
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.reseal_secrets import ResealSecrets
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.home import data_exists, database_file_of
from polyant.parts import Parts, open_parts
from polyant.settings import Settings, SettingsError, read_settings

SCHEMA_FAULTS: Mapping[str, str] = {
    "empty": "is empty: run `polyant migrate`",
    "older": "was made by an older version of polyant: run `polyant migrate`",
    "newer": "was made by a newer version of polyant: update this one, or restore a backup",
}


def run(work: Callable[[Parts], Awaitable[int | None]], environ: Mapping[str, str]) -> int | None:
    """Runs the work with the parts of the store the environment names and returns its exit code.

    Raises:
        SettingsError: There is no data, or its schema isn't this program's.
    """

    async def open_and_work() -> int | None:
        async with open_parts(find_data(environ), environ, create=False) as parts:
            await _check_store(parts)
            return await work(parts)

    return asyncio.run(open_and_work())


def find_data(environ: Mapping[str, str]) -> Settings:
    """Returns the settings if they lead to data.

    Raises:
        SettingsError: They don't; the message says where it was looked for.
    """
    settings = read_settings(environ)
    if not data_exists(settings):
        raise SettingsError(
            f"There is no data in {database_file_of(settings)}: `polyant serve` or `polyant migrate` creates it; "
            "POLYANT_HOME and DATABASE_URL say where it is"
        )
    return settings


async def find_instance(parts: Parts, slug: Slug) -> Instance:
    """Returns the instance with that slug.

    Raises:
        UnknownInstanceError: There is none.
    """
    return await ShowInstance(repo=await parts.repo())(slug)


async def tools_of(parts: Parts, instance: Instance) -> tuple[EnabledTool, ...]:
    """Returns the instance's tools as they stand; builds the tools only for an instance that has some."""
    return enabled_tools(instance, await parts.tools()) if instance.tools else ()


async def editing(parts: Parts) -> EditInstance:
    """Returns the use case that changes instances."""
    return EditInstance(repo=await parts.repo(), clock=await parts.clock())


async def resealing(parts: Parts) -> ResealSecrets:
    """Returns the use case that has the current master key seal all secrets."""
    return ResealSecrets(
        repo=await parts.repo(),
        cipher=await parts.cipher(),
        key_check=await parts.key_check(),
        audit_log=await parts.audit_log(),
        clock=await parts.clock(),
    )


async def _check_store(parts: Parts) -> None:
    await parts.repo()
    if "database" in parts.made:
        state = await (await parts.database()).schema()
        if state != "current":
            raise SettingsError(f"The database {SCHEMA_FAULTS[state]}")
    await CheckMasterKey(cipher=await parts.cipher(), key_check=await parts.key_check()).verify()
