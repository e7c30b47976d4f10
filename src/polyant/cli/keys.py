"""polyant keys: issues and revokes the API keys of instances, and replaces the master key."""

import argparse
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from polyant.cli import rotation
from polyant.cli.context import CliContext, run
from polyant.cli.output import print_json
from polyant.domain.audit import CLI
from polyant.domain.instances import parse_slug
from polyant.domain.secrets import AUTH_API_KEY
from polyant.domain.use_cases.delete_secret import DeleteSecret
from polyant.domain.use_cases.issue_key import IssueKey
from polyant.domain.use_cases.set_secret import MAX_GRACE_SECONDS

Environ = Mapping[str, str]

_GRACE_DAYS = timedelta(seconds=MAX_GRACE_SECONDS).days


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("keys", help="issue and revoke API keys, and replace the master key")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    issue = actions.add_parser("issue", help="issue a new API key, print it once and turn auth on")
    issue.add_argument("--keep-open", action="store_true", help="leave auth unchanged")
    issue.add_argument(
        "--grace-seconds",
        type=int,
        default=0,
        metavar="SECONDS",
        help=f"seconds for which the replaced key keeps working [up to {_GRACE_DAYS} days; default: %(default)s]",
    )
    issue.set_defaults(run=_issue)
    revoke = actions.add_parser(
        "revoke", help="remove the API key; auth stays on, so every call is refused until a new key is issued"
    )
    revoke.set_defaults(run=_revoke)
    for action in (issue, revoke):
        action.add_argument("slug", metavar="SLUG", help="slug of the instance")
        action.add_argument("--json", action="store_true", help="print JSON")
    rotation.add_to(actions)


def _issue(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        issue = await context.get(IssueKey)
        key = await issue(parse_slug(args.slug), by=CLI, keep_open=args.keep_open, grace_seconds=args.grace_seconds)
        if args.json:
            print_json({"key": key.reveal()})
        else:
            print(key.reveal())
            print("This key is not shown again.", file=sys.stderr)

    return run(work, environ)


def _revoke(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        instance = await (await context.get(DeleteSecret))(parse_slug(args.slug), AUTH_API_KEY, by=CLI)
        state = "auth is on: all calls are refused" if instance.auth_enabled else "auth is off: no key is required"
        if args.json:
            print_json({"deleted": True})
        else:
            print(f"Revoked the key of {instance.slug}; {state}.")

    return run(work, environ)
