"""Opens the settings and the container for commands; a server may be running at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec

from polyant.container import Container, LazyType
from polyant.domain.enabled_tools import EnabledTool, enabled_tools
from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.tool import Tool
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.home import data_exists, database_file_of, encryption_key_file_of, exists
from polyant.settings import Settings, SettingsError, read_settings
from polyant.wiring import DATABASE, open_container

T = TypeVar("T")

_SCHEMA_FAULTS: Mapping[str, tuple[str, str]] = {
    "empty": ("is empty", "Run `polyant migrate`"),
    "older": ("was made by an older version of polyant", "Run `polyant migrate`"),
    "newer": ("was made by a newer version of polyant", "Update polyant, or restore a backup"),
}
"""By the state of the schema: the problem and the fix."""
_RESTORE = "Restore a backup with `polyant restore FILE`"


class CliContext(msgspec.Struct, frozen=True):
    """The settings and the container of one command."""

    settings: Settings
    container: Container

    async def get(self, kind: "type[T] | LazyType[T]") -> T:
        """Returns the port, use case or other instance of a type.

        Raises:
            WiringError: The instance can't be built.
        """
        return await self.container.get(kind)


def run(work: Callable[[CliContext], Awaitable[int | None]], environ: Mapping[str, str]) -> int | None:
    """Runs a command's work on the data that the environment selects, and returns its exit code.

    Raises:
        SettingsError: There is no data.
        UnavailableError: The schema has another version.
    """

    async def open_and_work() -> int | None:
        settings = find_data(environ)
        async with open_container(settings, environ, create=False) as container:
            context = CliContext(settings, container)
            await _check_store(context)
            return await work(context)

    return asyncio.run(open_and_work())


def find_data(environ: Mapping[str, str]) -> Settings:
    """Returns the settings if data exists.

    Raises:
        SettingsError: There is no data; the message names the expected file.
    """
    settings = read_settings(environ)
    if not data_exists(settings):
        raise SettingsError(". ".join(missing_data(settings)))
    return settings


def missing_data(settings: Settings) -> tuple[str, str]:
    """Returns the problem that there is no data, and the fix: if keys exist, there was data before."""
    problem, key_file = f"There is no data in {database_file_of(settings)}", encryption_key_file_of(settings)
    if exists(key_file):
        problem += f", but its encryption key exists in {key_file}"
        return problem, f"{_RESTORE}, or run `polyant serve` to start with an empty database"
    return problem, (
        "Run `polyant serve` or `polyant migrate` to create it, or set POLYANT_HOME or DATABASE_URL to existing data"
    )


async def check_schema(context: CliContext) -> None:
    """Returns if the database schema is current, or the data isn't in the database.

    Raises:
        UnavailableError: The schema has another version, or there is none.
    """
    if not context.container.needs(InstanceRepo, DATABASE):
        return
    state = await (await context.get(DATABASE)).schema()
    if state != "current":
        problem, fix = _SCHEMA_FAULTS[state]
        key_file = encryption_key_file_of(context.settings)
        if state == "empty" and exists(key_file):
            problem += f", but its encryption key exists in {key_file}"
            fix = f"{_RESTORE}, or run `polyant migrate` to start with an empty database"
        raise UnavailableError(f"The database {problem}", hint=fix)


async def tools_of(context: CliContext, instance: Instance) -> tuple[EnabledTool, ...]:
    """Returns the instance's tools with their state; builds the tools only if the instance has any."""
    return enabled_tools(instance, await context.get(Mapping[str, Tool])) if instance.tools else ()


async def _check_store(context: CliContext) -> None:
    await check_schema(context)
    await (await context.get(CheckMasterKey)).verify()
