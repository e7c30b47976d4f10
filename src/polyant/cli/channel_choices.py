"""The options of the command line for the choices of a channel connection."""

import argparse
from typing import Any

from polyant.cli.arguments import words
from polyant.domain.channels import AmbiguousSends, BurstPolicy, ChannelAccess


def add_choices(parser: Any) -> None:
    """Adds the options to a parser."""
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


def choices_in(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the chosen values by field; None keeps the stored one, or takes the default."""
    return {
        "access": None if args.access is None else ChannelAccess(args.access),
        "users": None if args.users is None else frozenset(words(args.users)),
        "burst": None if args.burst is None else BurstPolicy(args.burst),
        "ambiguous_sends": None if args.ambiguous_sends is None else AmbiguousSends(args.ambiguous_sends),
    }
