"""polyant channels: connects instances to chat platforms, and shows what failed."""

import argparse
import getpass
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec

from polyant.cli.arguments import words
from polyant.cli.context import CliContext, run
from polyant.cli.output import print_json, print_table
from polyant.domain.audit import CLI
from polyant.domain.channel_events import AccountState, Credential
from polyant.domain.channel_problems import ChannelProblem
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import (
    AmbiguousSends,
    BurstPolicy,
    ChannelAccess,
    ChannelConnection,
    Delivery,
    parse_channel_name,
)
from polyant.domain.errors import InvalidInputError
from polyant.domain.injectables import PublicUrl
from polyant.domain.instances import parse_slug
from polyant.domain.lane_work import StoredEvent
from polyant.domain.use_cases.check_channel import CheckChannel
from polyant.domain.use_cases.connect_channel import ConnectChannel, NewConnection, needed_credentials, secret_name
from polyant.domain.use_cases.disconnect_channel import DisconnectChannel
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.domain.use_cases.list_dead_letters import ListDeadLetters
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_channel import ChannelChange, UpdateChannel

Environ = Mapping[str, str]


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("channels", help="connect instances to chat platforms, and replay failed events")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    connect = actions.add_parser(
        "connect",
        help="connect an instance to an account of a platform, or change its credentials",
        description="The credentials come from prompts, or from standard input, one per line in the order of the "
        "prompts. An empty line keeps a stored credential.",
    )
    connect.set_defaults(run=_connect)
    listing = actions.add_parser("list", help="list the connections of an instance, or of all")
    listing.set_defaults(run=_list)
    listing.add_argument("slug", metavar="SLUG", nargs="?", help="slug of the instance [default: all]")
    test = actions.add_parser("test", help="check a connection with the platform")
    test.set_defaults(run=_test)
    update = actions.add_parser("update", help="change who may talk, and how messages are handled")
    update.set_defaults(run=_update)
    approve = actions.add_parser("approve", help="let the user with a pairing code talk")
    approve.set_defaults(run=_approve)
    disconnect = actions.add_parser("disconnect", help="end the connection, and delete its credentials")
    disconnect.set_defaults(run=_disconnect)
    for action in (connect, test, update, approve, disconnect):
        action.add_argument("slug", metavar="SLUG", help="slug of the instance")
        action.add_argument("channel", metavar="CHANNEL", help="name of the channel, such as telegram")
    approve.add_argument("code", metavar="CODE", help="pairing code that the user received")
    _add_connect_options(connect)
    for action in (connect, update):
        _add_choices(action)
    letters = actions.add_parser("dead-letters", help="list the events that failed for good")
    letters.set_defaults(run=_dead_letters)
    letters.add_argument("slug", metavar="SLUG", nargs="?", help="slug of the instance [default: all]")
    replay = actions.add_parser("replay", help="let a failed event be answered again")
    replay.set_defaults(run=_replay)
    replay.add_argument("id", metavar="ID", type=int, help="number of the event in the list of dead letters")
    for action in (connect, listing, test, update, approve, disconnect, letters, replay):
        action.add_argument("--json", action="store_true", help="print JSON")


def _add_connect_options(parser: Any) -> None:
    parser.add_argument(
        "--delivery",
        choices=[each.value for each in Delivery],
        help="how events arrive [default: webhook if PUBLIC_URL is set, else pull where the platform allows it]",
    )
    parser.add_argument(
        "--option",
        dest="options",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a fact about the account that the channel asks for [may be repeated]",
    )


def _add_choices(parser: Any) -> None:
    parser.add_argument("--access", choices=[each.value for each in ChannelAccess], help="who may talk")
    parser.add_argument("--users", metavar="A,B", help="the platform's ids of the users who may talk [empty: nobody]")
    parser.add_argument(
        "--burst", choices=[each.value for each in BurstPolicy], help="handling of messages in quick succession"
    )
    parser.add_argument(
        "--ambiguous-sends",
        choices=[each.value for each in AmbiguousSends],
        help="handling of messages of which nobody knows whether they arrived",
    )


def _choices(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "access": None if args.access is None else ChannelAccess(args.access),
        "users": None if args.users is None else frozenset(words(args.users)),
        "burst": None if args.burst is None else BurstPolicy(args.burst),
        "ambiguous_sends": None if args.ambiguous_sends is None else AmbiguousSends(args.ambiguous_sends),
    }


def _connect(args: argparse.Namespace, environ: Environ) -> int | None:
    slug, channel = parse_slug(args.slug), parse_channel_name(args.channel)
    wanted: list[tuple[Credential, bool]] = []

    async def find_credentials(context: CliContext) -> None:
        instance = await (await context.get(ShowInstance))(slug)
        info = (await (await context.get(ChannelRegistry)).get(channel)).info
        default = Delivery.WEBHOOK if await context.get(PublicUrl) else Delivery.PULL
        chosen = Delivery(args.delivery or default)
        delivery = chosen if chosen in info.deliveries else Delivery(info.deliveries[0])
        wanted.extend(
            (credential, secret_name(info.name, credential) in instance.secrets)
            for credential in needed_credentials(info, delivery)
            if not credential.generated
        )

    run(find_credentials, environ)
    new = NewConnection(
        channel=channel,
        # Read outside the event loop, so that Ctrl-C ends the prompt.
        credentials=_read_credentials(wanted),
        options=dict(_option(text) for text in args.options),
        delivery=None if args.delivery is None else Delivery(args.delivery),
        **_choices(args),
    )

    async def work(context: CliContext) -> None:
        connected = await (await context.get(ConnectChannel))(slug, new, by=CLI)
        public_url = await context.get(PublicUrl)
        if args.json:
            print_json(connection_fields(connected.connection, public_url))
        else:
            _print_connected(connected.connection, public_url)
        _print_problems(connected.account)

    return run(work, environ)


def _read_credentials(wanted: Sequence[tuple[Credential, bool]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for credential, stored in wanted:
        keep = " [empty: keep the stored one]" if stored else "" if credential.required else " [optional]"
        if sys.stdin.isatty():
            print(f"{credential.label}: {credential.help}", file=sys.stderr)
            value = getpass.getpass(f"{credential.label}{keep}: ")
        else:
            value = sys.stdin.readline().rstrip("\r\n")
        if value.strip():
            values[credential.name] = value.strip()
    return values


def _option(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise InvalidInputError("An option must be written as NAME=VALUE")
    return name, value


def _print_connected(connection: ChannelConnection, public_url: str) -> None:
    account = connection.account_name or connection.account
    print(f"Connected {connection.slug} to {account} on {connection.channel}.")
    if connection.delivery is Delivery.WEBHOOK:
        print(f"Webhook: {public_url}{connection.path}")
    else:
        print("Running servers fetch its messages within seconds.")
    if connection.access is ChannelAccess.PAIRING:
        print(
            f"Users get a pairing code. Approve it with `polyant channels approve {connection.slug} "
            f"{connection.channel} CODE`."
        )


def _print_problems(account: AccountState) -> None:
    for problem in account.problems:
        print(f"polyant: {problem}", file=sys.stderr)


def _list(args: argparse.Namespace, environ: Environ) -> int | None:
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


def _test(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> int | None:
        check = await context.get(CheckChannel)
        state = await check(parse_slug(args.slug), parse_channel_name(args.channel))
        if args.json:
            print_json({"account": state.account, "name": state.name, "problems": state.problems})
        elif not state.problems:
            print(f"{state.name or state.account} is connected.")
        if not args.json:
            _print_problems(state)
        return 1 if state.problems else None

    return run(work, environ)


def _update(args: argparse.Namespace, environ: Environ) -> int | None:
    change = ChannelChange(**_choices(args))
    if not change.fields:
        raise InvalidInputError("Nothing to change: give at least one option")

    async def work(context: CliContext) -> None:
        update = await context.get(UpdateChannel)
        changed = await update(parse_slug(args.slug), parse_channel_name(args.channel), change, by=CLI)
        _print_changed(args, changed, await context.get(PublicUrl))

    return run(work, environ)


def _approve(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        update = await context.get(UpdateChannel)
        slug, channel = parse_slug(args.slug), parse_channel_name(args.channel)
        _print_changed(args, await update.approve(slug, channel, args.code, by=CLI), await context.get(PublicUrl))

    return run(work, environ)


def _print_changed(args: argparse.Namespace, connection: ChannelConnection, public_url: str) -> None:
    if args.json:
        print_json(connection_fields(connection, public_url))
    else:
        print(f"Changed the {connection.channel} connection of {connection.slug}.")


def _disconnect(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        disconnect = await context.get(DisconnectChannel)
        problem = await disconnect(parse_slug(args.slug), parse_channel_name(args.channel), by=CLI)
        if args.json:
            print_json({"deleted": True})
        else:
            print(f"Disconnected {args.slug} from {args.channel}.")
        if problem is not None:
            print(f"polyant: The platform was not told: {problem}", file=sys.stderr)

    return run(work, environ)


def _dead_letters(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        slug = None if args.slug is None else parse_slug(args.slug)
        page = await (await context.get(ListDeadLetters))(slug, limit=1_000)
        if args.json:
            print_json({"deadLetters": list(map(event_fields, page.events)), "total": page.total})
            return
        rows = [(each.id, each.received_at, each.channel, each.attempts, each.error) for each in page.events]
        print_table(("ID", "RECEIVED", "CHANNEL", "ATTEMPTS", "ERROR"), rows)

    return run(work, environ)


def _replay(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        await (await context.get(ListDeadLetters)).replay(args.id, by=CLI)
        if args.json:
            print_json({"replayed": True})
        else:
            print(f"Event {args.id} will be answered by a running server.")

    return run(work, environ)


def connection_fields(connection: ChannelConnection, public_url: str) -> dict[str, object]:
    """Returns the fields of a connection to print; they include no secret."""
    is_pushed = connection.has_account and connection.delivery is Delivery.WEBHOOK
    return {
        "instance": connection.slug,
        "channel": connection.channel,
        "account": connection.account if connection.has_account else None,
        "accountName": connection.account_name,
        "state": connection.state,
        "delivery": connection.delivery,
        "webhook": f"{public_url}{connection.path}" if is_pushed else None,
        "access": connection.access,
        "users": sorted(connection.users),
        "burst": connection.burst,
        "ambiguousSends": connection.ambiguous_sends,
        "options": msgspec.to_builtins(connection.options),
        "problems": [msgspec.structs.asdict(problem) for problem in connection.problems],
        "createdAt": connection.created_at,
        "updatedAt": connection.updated_at,
    }


def problem_text(problem: ChannelProblem) -> str:
    """Returns the problem in a few words, such as `webhook refused since 2026-05-04 10:02 UTC: the signature …`."""
    since = problem.since.astimezone(UTC)
    return f"{problem.kind.replace('_', ' ')} since {since:%Y-%m-%d %H:%M} UTC: {problem.reason}"


def event_fields(event: StoredEvent) -> dict[str, object]:
    """Returns the fields of an event to print, without its text."""
    return {
        "id": event.id,
        "channel": event.channel,
        "account": event.account,
        "state": event.state,
        "attempts": event.attempts,
        "error": event.error,
        "receivedAt": event.received_at,
    }
