"""polyant secrets: sets, encrypts, lists and deletes an instance's secrets; values are never printed."""

import argparse
import getpass
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from polyant.cli.context import CliContext, run
from polyant.cli.output import print_json, print_table
from polyant.domain.audit import CLI
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Slug, parse_slug
from polyant.domain.secrets import SealedSecret, SecretName, parse_secret_name
from polyant.domain.use_cases.delete_secret import DeleteSecret
from polyant.domain.use_cases.encrypt_secret import EncryptSecret
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.show_instance import ShowInstance

Environ = Mapping[str, str]


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("secrets", help="set, encrypt, list and delete an instance's secrets")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    store = actions.add_parser("set", help="store a secret; the value comes from a prompt or from standard input")
    store.set_defaults(run=_set)
    encrypt = actions.add_parser(
        "encrypt", help="print an encrypted secret as JSON, for instances in a file; nothing is stored"
    )
    encrypt.set_defaults(run=_encrypt)
    listing = actions.add_parser("list", help="list the stored secrets, without their values")
    listing.set_defaults(run=_list)
    delete = actions.add_parser("delete", help="remove a secret")
    delete.set_defaults(run=_delete)
    for action in (store, encrypt, listing, delete):
        action.add_argument("slug", metavar="SLUG", help="slug of the instance")
    for action in (store, listing, delete):
        action.add_argument("--json", action="store_true", help="print JSON")
    for action in (store, encrypt, delete):
        action.add_argument("key", metavar="KEY", help="name of the secret, such as openai_api_key or auth_api_key")


def _set(args: argparse.Namespace, environ: Environ) -> int | None:
    name, slug = parse_secret_name(args.key), parse_slug(args.slug)
    value = _value_for(slug, name, environ)

    async def work(context: CliContext) -> None:
        store = await context.get(SetSecret)
        stored = await store(slug, name, value, by=CLI)
        if args.json:
            print_json(_fields(stored))
        else:
            print(f"Stored {name} of {slug}" + (f", to be sent only to {stored.origin}." if stored.origin else "."))

    return run(work, environ)


def _encrypt(args: argparse.Namespace, environ: Environ) -> int | None:
    name, slug = parse_secret_name(args.key), parse_slug(args.slug)
    value = _value_for(slug, name, environ)

    async def work(context: CliContext) -> None:
        print_json(msgspec.to_builtins(await (await context.get(EncryptSecret))(slug, name, value)))

    return run(work, environ)


def _value_for(slug: Slug, name: SecretName, environ: Environ) -> str:
    """Returns the value to encrypt, after it has checked that the instance exists."""

    async def check(context: CliContext) -> None:
        await (await context.get(ShowInstance))(slug)

    run(check, environ)
    # Read outside the event loop, so that Ctrl-C ends the prompt.
    return read_value(f"Value of {name}: ")


def _list(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        secrets = (await (await context.get(ShowInstance))(parse_slug(args.slug))).secrets.values()
        ordered = sorted(secrets, key=lambda secret: secret.name)
        if args.json:
            print_json({"secrets": list(map(_fields, ordered))})
        else:
            rows = [(secret.name, secret.updated_at, secret.origin, secret.expires_at) for secret in ordered]
            print_table(("KEY", "UPDATED", "FOR", "EXPIRES"), rows)

    return run(work, environ)


def _delete(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        name = parse_secret_name(args.key)
        await (await context.get(DeleteSecret))(parse_slug(args.slug), name, by=CLI)
        if args.json:
            print_json({"deleted": True})
        else:
            print(f"Deleted {name} of {args.slug}.")

    return run(work, environ)


def _fields(secret: SealedSecret) -> dict[str, object]:
    return {
        "key": secret.name,
        "configured": True,
        "updatedAt": secret.updated_at,
        "origin": secret.origin,
        "expiresAt": secret.expires_at,
    }


def read_value(prompt: str) -> str:
    """Returns a value typed at a prompt without echo, or standard input without its final line end.

    Raises:
        InvalidInputError: Standard input isn't valid UTF-8.
    """
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    try:
        text = sys.stdin.read()
    except UnicodeDecodeError:
        raise InvalidInputError("The value on standard input is not valid UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")
