"""polyant channels connect: asks for the credentials, and connects."""

import argparse
import getpass
import sys
from collections.abc import Mapping, Sequence

from polyant.cli.channel_choices import choices_in
from polyant.cli.channel_output import connection_fields, print_problems
from polyant.cli.context import CliContext, run
from polyant.cli.output import print_json
from polyant.domain.audit import CLI
from polyant.domain.channel_info import Credential
from polyant.domain.channels import ChannelAccess, ChannelConnection, Delivery, parse_channel_name
from polyant.domain.errors import InvalidInputError
from polyant.domain.injectables import PublicUrl
from polyant.domain.instances import parse_slug
from polyant.domain.use_cases.connect_channel import ConnectChannel, NewConnection

Environ = Mapping[str, str]


def connect(args: argparse.Namespace, environ: Environ) -> int | None:
    """Connects an instance, with credentials from prompts or standard input."""
    slug, channel = parse_slug(args.slug), parse_channel_name(args.channel)
    delivery = None if args.delivery is None else Delivery(args.delivery)
    wanted: list[tuple[Credential, bool]] = []

    async def find_credentials(context: CliContext) -> None:
        wanted.extend(await (await context.get(ConnectChannel)).credentials(slug, channel, delivery))

    run(find_credentials, environ)
    new = NewConnection(
        channel=channel,
        # Read outside the event loop, so that Ctrl-C ends the prompt.
        credentials=_read_credentials(wanted),
        options=dict(_option(text) for text in args.options),
        delivery=delivery,
        **choices_in(args),
    )

    async def work(context: CliContext) -> None:
        connected = await (await context.get(ConnectChannel))(slug, new, by=CLI)
        public_url = await context.get(PublicUrl)
        if args.json:
            print_json(connection_fields(connected.connection, public_url))
        else:
            _print_connected(connected.connection, public_url)
        print_problems(connected.account)

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
