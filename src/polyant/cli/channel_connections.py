"""polyant channels list, test, update, approve and disconnect."""

import argparse
import sys
from collections.abc import Mapping

from polyant.cli.channel_choices import choices_in
from polyant.cli.channel_output import connection_fields, print_problems, problem_text
from polyant.cli.context import CliContext, run
from polyant.cli.output import print_json, print_table
from polyant.domain.audit import CLI
from polyant.domain.channels import ChannelConnection, parse_channel_name
from polyant.domain.errors import InvalidInputError
from polyant.domain.injectables import PublicUrl
from polyant.domain.instances import parse_slug
from polyant.domain.use_cases.check_channel import CheckChannel
from polyant.domain.use_cases.disconnect_channel import DisconnectChannel
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.domain.use_cases.update_channel import ChannelChange, UpdateChannel

Environ = Mapping[str, str]


def list_connections(args: argparse.Namespace, environ: Environ) -> int | None:
    """Prints the connections."""

    async def work(context: CliContext) -> None:
        slug = None if args.slug is None else parse_slug(args.slug)
        found = await (await context.get(ListChannels))(slug)
        public_url = await context.get(PublicUrl)
        if args.json:
            print_json({"channels": [connection_fields(each, public_url) for each in found]})
            return
        rows = [
            (
                each.slug,
                each.channel,
                each.account_label or "-",
                each.state,
                each.delivery,
                each.access,
                "; ".join(map(problem_text, each.problems)),
            )
            for each in found
        ]
        print_table(("INSTANCE", "CHANNEL", "ACCOUNT", "STATE", "DELIVERY", "ACCESS", "PROBLEM"), rows)

    return run(work, environ)


def check(args: argparse.Namespace, environ: Environ) -> int | None:
    """Asks the platform about a connection; returns 1 if there are problems."""

    async def work(context: CliContext) -> int | None:
        check = await context.get(CheckChannel)
        state = await check(parse_slug(args.slug), parse_channel_name(args.channel))
        if args.json:
            print_json({"account": state.account, "name": state.name, "problems": state.problems})
        elif not state.problems:
            print(f"{state.name or state.account} is connected.")
        if not args.json:
            print_problems(state)
        return 1 if state.problems else None

    return run(work, environ)


def update(args: argparse.Namespace, environ: Environ) -> int | None:
    """Changes the choices for a connection."""
    change = ChannelChange(**choices_in(args))
    if not change.fields:
        raise InvalidInputError("Nothing to change: give at least one option")

    async def work(context: CliContext) -> None:
        update = await context.get(UpdateChannel)
        changed = await update(parse_slug(args.slug), parse_channel_name(args.channel), change, by=CLI)
        _print_changed(args, changed, await context.get(PublicUrl))

    return run(work, environ)


def approve(args: argparse.Namespace, environ: Environ) -> int | None:
    """Lets the user with a pairing code talk."""

    async def work(context: CliContext) -> None:
        update = await context.get(UpdateChannel)
        slug, channel = parse_slug(args.slug), parse_channel_name(args.channel)
        _print_changed(args, await update.approve(slug, channel, args.code, by=CLI), await context.get(PublicUrl))

    return run(work, environ)


def disconnect(args: argparse.Namespace, environ: Environ) -> int | None:
    """Ends a connection."""

    async def work(context: CliContext) -> None:
        disconnect = await context.get(DisconnectChannel)
        problem = await disconnect(parse_slug(args.slug), parse_channel_name(args.channel), by=CLI)
        if args.json:
            print_json({"deleted": True, "problem": problem})
        else:
            print(f"Disconnected {args.slug} from {args.channel}.")
        if problem is not None:
            print(f"polyant: The platform may still call a webhook: {problem}", file=sys.stderr)

    return run(work, environ)


def _print_changed(args: argparse.Namespace, connection: ChannelConnection, public_url: str) -> None:
    if args.json:
        print_json(connection_fields(connection, public_url))
    else:
        print(f"Changed the {connection.channel} connection of {connection.slug}.")
