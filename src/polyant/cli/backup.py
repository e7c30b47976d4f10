"""polyant backup: writes all data to one encrypted file; a server may be running at the same time."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyant.adapter_groups import require_one_store
from polyant.cli.backup_files import check_target, new_backup
from polyant.cli.context import CliContext, run
from polyant.cli.output import count, print_json
from polyant.cli.passphrases import add_option, read_new_passphrase
from polyant.domain.backups import BackupSummary
from polyant.domain.use_cases.back_up import BackUp

Environ = Mapping[str, str]


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "backup",
        allow_abbrev=False,  # `--passphrase` must not be accepted as `--passphrase-file`, whose value errors contain
        help="write all data, secrets included, to one file that is encrypted with a passphrase",
        description="Write all instances with their secrets, users and the audit log to one file that is encrypted "
        "with a passphrase. A server may be running at the same time.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the file to create")
    add_option(parser)
    parser.add_argument("--force", action="store_true", help="replace FILE if it is a backup")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_back_up)


def _back_up(args: argparse.Namespace, environ: Environ) -> int | None:
    check_target(args.file, force=args.force)

    async def check(context: CliContext) -> None:
        require_one_store(context.settings)

    run(check, environ)
    # Read outside the event loop, so that Ctrl-C ends the prompt.
    passphrase = read_new_passphrase(args.passphrase_file)

    async def work(context: CliContext) -> None:
        back_up = await context.get(BackUp)
        with new_backup(args.file, force=args.force) as write:
            summary = await back_up(write, passphrase)
        if args.json:
            print_json(summary)
        else:
            print(f"Backed up {content_of(summary)} to {args.file}.")

    return run(work, environ)


def content_of(summary: BackupSummary) -> str:
    """Returns the content of a backup in words."""
    conversations = f"{count(summary.conversations, 'conversation')}, " if summary.conversations else ""
    channels = f"{count(summary.channels, 'channel')}, " if summary.channels else ""
    return (
        f"{count(summary.instances, 'instance')}, {channels}{conversations}{count(summary.users, 'user')} and "
        f"{count(summary.audit_entries, 'audit entry', 'audit entries')}"
    )
