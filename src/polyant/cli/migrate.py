"""polyant migrate: creates the database, or migrates it to the current schema."""

import argparse
import asyncio
from collections.abc import Mapping
from typing import Any

from polyant.prepare import prepare
from polyant.settings import read_settings
from polyant.wiring import open_container


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "migrate", help="create the database, or migrate it to the current schema, without serving"
    )
    parser.set_defaults(run=_migrate)


def _migrate(_: argparse.Namespace, environ: Mapping[str, str]) -> None:
    async def work() -> None:
        settings = read_settings(environ)
        async with open_container(settings, environ, create=True) as container:
            await prepare(container, settings)
            print("The database is up to date.")

    asyncio.run(work())
