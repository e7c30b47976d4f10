"""polyant instances export and import: an instance as one JSON document, without secret values."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from polyant.cli.context import CliContext, run
from polyant.cli.output import print_json
from polyant.domain.audit import CLI
from polyant.domain.catalog import Catalog
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import parse_slug
from polyant.domain.secret_states import missing_secrets
from polyant.domain.secrets import CALLER_KEYS
from polyant.domain.use_cases.export_channels import ExportChannels
from polyant.domain.use_cases.export_instance import ExportInstance
from polyant.domain.use_cases.import_instance import ImportInstance
from polyant.domain.use_cases.list_channels import ListChannels

Environ = Mapping[str, str]

_MAX_BYTES = 2**30


def add_to(actions: Any) -> None:
    """Adds both actions to those of `polyant instances`."""
    exporting = actions.add_parser("export", help="print an instance as a JSON document, without the values of secrets")
    exporting.add_argument("slug", metavar="SLUG", help="slug of the instance")
    exporting.set_defaults(run=export)
    importing = actions.add_parser("import", help="create an instance from an exported document")
    importing.add_argument("file", metavar="FILE", help="file with the document [`-` for standard input]")
    importing.add_argument("--slug", help="slug of the new instance [default: the one in the document]")
    importing.add_argument(
        "--overwrite", action="store_true", help="replace an existing instance, which keeps its secrets and accounts"
    )
    importing.add_argument("--json", action="store_true", help="print JSON")
    importing.set_defaults(run=import_document)


def export(args: argparse.Namespace, environ: Environ) -> int | None:
    """Prints the document."""
    from polyant.http.management.transfer import document_of  # noqa: PLC0415 - no other command needs the HTTP layer

    async def work(context: CliContext) -> None:
        exported = await (await context.get(ExportInstance))(parse_slug(args.slug))
        channels = await (await context.get(ExportChannels))(exported.instance)
        print_json(document_of(exported, channels))

    return run(work, environ)


def import_document(args: argparse.Namespace, environ: Environ) -> int | None:
    """Stores the instance in a document, and prints what is missing."""
    from polyant.http.bodies import decode  # noqa: PLC0415 - as above
    from polyant.http.management.transfer import (  # noqa: PLC0415
        InstanceDocument,
        channels_in,
        content_in,
        skills_in,
    )

    document = decode(_read(args.file), msgspec.json.Decoder(InstanceDocument))

    async def work(context: CliContext) -> None:
        instance = await (await context.get(ImportInstance))(
            parse_slug(args.slug or document.slug),
            content_in(document),
            by=CLI,
            skills=skills_in(document),
            channels=channels_in(document),
            unrestricted=True,
            overwrite=args.overwrite,
        )
        catalog = await context.get(Catalog)
        missing = missing_secrets(instance, catalog.providers, catalog.tools)
        found = await (await context.get(ListChannels))(instance.slug)
        channels = [each.channel for each in found if not each.has_account]
        if args.json:
            print_json({"slug": instance.slug, "missingSecrets": missing, "disconnectedChannels": channels})
            return
        print(f"Imported {instance.slug}.")
        for name in missing:
            command = "keys issue" if name in CALLER_KEYS else "secrets set"
            argument = "" if name in CALLER_KEYS else f" {name}"
            print(f"The secret {name} is missing: `polyant {command} {instance.slug}{argument}`")
        for channel in channels:
            print(f"{channel} isn't connected: `polyant channels connect {instance.slug} {channel}`")

    return run(work, environ)


def _read(file: str) -> bytes:
    """Returns the content of the file.

    Raises:
        InvalidInputError: It can't be read, or is too large.
    """
    try:
        content = sys.stdin.buffer.read(_MAX_BYTES + 1) if file == "-" else _limited(Path(file))
    except OSError as error:
        raise InvalidInputError(f"The file {file} can't be read: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise InvalidInputError(f"The file {file} is larger than 1 GiB")
    return content


def _limited(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_MAX_BYTES + 1)
