"""polyant channels: connects instances to chat platforms, and shows what failed."""

from typing import Any

from polyant.cli.channel_choices import add_choices
from polyant.cli.channel_connecting import connect
from polyant.cli.channel_connections import approve, check, disconnect, list_connections, update
from polyant.cli.channel_events import dead_letters, doubtful_sends, replay
from polyant.domain.channels import Delivery


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("channels", help="connect instances to chat platforms, and replay failed events")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    connecting = actions.add_parser(
        "connect",
        help="connect an instance to an account of a platform, or change its credentials",
        description="The credentials come from prompts, or from standard input, one per line in the order of the "
        "prompts. An empty line keeps a stored credential.",
    )
    connecting.set_defaults(run=connect)
    listing = actions.add_parser("list", help="list the connections of an instance, or of all")
    listing.set_defaults(run=list_connections)
    listing.add_argument("slug", metavar="SLUG", nargs="?", help="slug of the instance [default: all]")
    testing = actions.add_parser("test", help="check a connection with the platform")
    testing.set_defaults(run=check)
    updating = actions.add_parser("update", help="change who may talk, and how messages are handled")
    updating.set_defaults(run=update)
    approving = actions.add_parser("approve", help="let the user with a pairing code talk")
    approving.set_defaults(run=approve)
    disconnecting = actions.add_parser("disconnect", help="end the connection, and delete its credentials")
    disconnecting.set_defaults(run=disconnect)
    for action in (connecting, testing, updating, approving, disconnecting):
        action.add_argument("slug", metavar="SLUG", help="slug of the instance")
        action.add_argument("channel", metavar="CHANNEL", help="name of the channel, such as telegram")
    approving.add_argument("code", metavar="CODE", help="pairing code that the user received")
    _add_connect_options(connecting)
    for action in (connecting, updating):
        add_choices(action)
    letters = actions.add_parser("dead-letters", help="list the events that failed for good")
    letters.set_defaults(run=dead_letters)
    letters.add_argument("slug", metavar="SLUG", nargs="?", help="slug of the instance [default: all]")
    doubtful = actions.add_parser(
        "doubtful-sends", help="list the sends of which the platform didn't say whether it took them"
    )
    doubtful.set_defaults(run=doubtful_sends)
    doubtful.add_argument("slug", metavar="SLUG", nargs="?", help="slug of the instance [default: all]")
    replaying = actions.add_parser("replay", help="let a failed event be answered again")
    replaying.set_defaults(run=replay)
    replaying.add_argument("id", metavar="ID", type=int, help="number of the event in the list of dead letters")
    for action in (connecting, listing, testing, updating, approving, disconnecting, letters, doubtful, replaying):
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
