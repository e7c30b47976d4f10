"""polyant restore: stores all data of a backup in an empty database."""

import argparse
import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from polyant.adapter_groups import require_one_store
from polyant.cli.backup import content_of
from polyant.cli.backup_files import check_source, read_backup
from polyant.cli.context import CliContext, check_schema
from polyant.cli.output import print_json
from polyant.cli.passphrases import add_option, read_passphrase
from polyant.domain.audit import CLI
from polyant.domain.backups import BackupSummary
from polyant.domain.ports.archive import Archive
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.restore_backup import RestoreBackup
from polyant.domain.use_cases.verify_backup import VerifyBackup
from polyant.home import data_exists
from polyant.prepare import prepare_for_restore, remove_outdated_password
from polyant.settings import Settings, read_settings
from polyant.wiring import DATABASE, open_container

Environ = Mapping[str, str]


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "restore",
        allow_abbrev=False,  # `--passphrase` must not be accepted as `--passphrase-file`, whose value errors contain
        help="store all data of a backup in an empty database, which is created if it is missing",
        description="Store all data of a backup in an empty database, which is created if it is missing. The file is "
        "verified first, and everything is stored in one transaction, or nothing. Stop the server first.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the backup")
    add_option(parser)
    parser.add_argument("--check", action="store_true", help="only verify the whole file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_restore)


def _restore(args: argparse.Namespace, environ: Environ) -> int | None:
    check_source(args.file)
    settings = read_settings(environ)
    if not args.check:
        require_one_store(settings)
        asyncio.run(_check_target(settings, environ))
    # Read outside the event loop, so that Ctrl-C ends the prompt.
    passphrase = read_passphrase(args.passphrase_file)
    summary = asyncio.run(_run(args, settings, environ, passphrase))
    if args.json:
        print_json(summary)
    elif args.check:
        print(f"{args.file} is complete: it contains {content_of(summary)}.")
    else:
        print(f"Restored {content_of(summary)}. Run `polyant doctor` to check the settings, and start the server.")
    return None


async def _check_target(settings: Settings, environ: Environ) -> None:
    """Returns if the database doesn't exist or is empty; asks for no passphrase otherwise.

    Raises:
        StoreNotEmptyError: The database contains data.
        UnavailableError: The schema has another version.
    """
    if not data_exists(settings):
        return
    async with open_container(settings, environ, create=False) as container:
        if container.needs(Archive, DATABASE):
            if await (await container.get(DATABASE)).schema() == "empty":
                return
            await check_schema(CliContext(settings, container))
        await (await container.get(Archive)).check_empty()


async def _run(args: argparse.Namespace, settings: Settings, environ: Environ, passphrase: SecretText) -> BackupSummary:
    """Returns the summary of the backup once it is verified and, unless only checked, restored."""
    async with open_container(settings, environ, create=not args.check) as container:
        verify = await container.get(VerifyBackup)
        backup = await verify(partial(read_backup, args.file), passphrase)
        if not args.check:
            await prepare_for_restore(container, settings)
            await (await container.get(RestoreBackup))(backup, by=CLI)
            await remove_outdated_password(container, settings)
        return backup.summary
