"""polyant conversations: lists, shows, exports and deletes stored conversations."""

import argparse
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from polyant.cli.arguments import whole_number
from polyant.cli.context import CliContext, run
from polyant.cli.output import count, print_json, print_table
from polyant.domain.audit import CLI
from polyant.domain.conversation_removal import Removed
from polyant.domain.conversations import API_CHANNEL, parse_conversation_id
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import parse_slug
from polyant.domain.transcripts import ConversationSummary, TranscriptMessage
from polyant.domain.use_cases.delete_conversations import DeleteConversations
from polyant.domain.use_cases.list_conversations import ConversationQuery, ListConversations
from polyant.domain.use_cases.read_conversation import ReadConversation

Environ = Mapping[str, str]

_MAX_LISTED = 1_000_000


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("conversations", help="list, show, export and delete stored conversations")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = _action(actions, "list", "list the conversations of an instance by their metadata", _list)
    listing.add_argument("--channel", help=f"only this channel [`{API_CHANNEL}`, or the name of a chat platform]")
    listing.add_argument("--user", help="only this user, by the id in the calling application or on the platform")
    listing.add_argument("--search", default="", help="beginning of an id, id of a turn, or name of a tool")
    listing.add_argument(
        "--limit",
        type=whole_number(1, _MAX_LISTED),
        default=50,
        help=f"maximum number of conversations [1 to {_MAX_LISTED}; default: %(default)s]",
        metavar="NUMBER",
    )
    listing.add_argument("--json", action="store_true", help="print JSON")
    show = _action(actions, "show", "show a conversation with its texts", _show)
    _add_id(show)
    show.add_argument("--json", action="store_true", help="print JSON")
    export = _action(actions, "export", "print a conversation with its texts as JSON", _export)
    _add_id(export)
    delete = _action(actions, "delete", "delete a conversation, those of a user, or all of an instance", _delete)
    delete.add_argument("id", metavar="ID", nargs="?", help="id of the conversation")
    delete.add_argument("--all", action="store_true", help="all conversations of the instance")
    delete.add_argument("--channel", default=API_CHANNEL, help=f"the user's channel [by default `{API_CHANNEL}`]")
    delete.add_argument("--user", help="all that is stored of this user of the channel")
    delete.add_argument("--yes", action="store_true", help="skip the confirmation prompt")
    delete.add_argument("--json", action="store_true", help="print JSON")


def _action(actions: Any, name: str, description: str, call: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=description)
    parser.add_argument("slug", metavar="SLUG", help="slug of the instance")
    parser.set_defaults(run=call)
    return parser


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="id of the conversation, see `polyant conversations list SLUG`")


def _list(args: argparse.Namespace, environ: Environ) -> int | None:
    query = ConversationQuery(
        channel=args.channel or (API_CHANNEL if args.user else None),
        user=args.user,
        search=args.search,
        limit=args.limit,
    )

    async def work(context: CliContext) -> None:
        page = await (await context.get(ListConversations))(parse_slug(args.slug), query)
        if args.json:
            shown = [_fields_of(found) for found in page.conversations]
            print_json({"conversations": shown, "total": page.total})
            return
        rows = [
            (found.id, found.channel, found.user, _time(found.updated_at), found.messages, found.unanswered)
            for found in page.conversations
        ]
        print_table(("ID", "CHANNEL", "USER", "UPDATED (UTC)", "MESSAGES", "UNANSWERED"), rows)
        if page.total > len(rows):
            print(f"polyant: {len(rows):,} of {page.total:,} conversations: see --limit", file=sys.stderr)

    return run(work, environ)


def _show(args: argparse.Namespace, environ: Environ) -> int | None:
    return _read(args, environ, as_json=args.json, exports=False)


def _export(args: argparse.Namespace, environ: Environ) -> int | None:
    return _read(args, environ, as_json=True, exports=True)


def _read(args: argparse.Namespace, environ: Environ, *, as_json: bool, exports: bool) -> int | None:
    async def work(context: CliContext) -> None:
        use_case = await context.get(ReadConversation)
        read = use_case.export if exports else use_case.whole
        found = await read(parse_slug(args.slug), parse_conversation_id(args.id), by=CLI, unrestricted=True)
        if as_json:
            messages = [message async for piece in found.pieces() for message in piece]
            transcript = [msgspec.to_builtins(message, builtin_types=(datetime,)) for message in messages]
            print_json({**_fields_of(found.summary), "transcript": transcript})
            return
        async for piece in found.pieces():
            for message in piece:
                _print_message(message)

    return run(work, environ)


def _print_message(message: TranscriptMessage) -> None:
    notes = [f"about {message.tokens} tokens", *message.tools, *([] if message.answered else ["unanswered"])]
    print(f"[{_time(message.at)}] {message.role} ({', '.join(notes)})")
    print(f"{'(can not be decrypted)' if message.text is None else message.text}\n")


def _delete(args: argparse.Namespace, environ: Environ) -> int | None:
    slug = parse_slug(args.slug)
    if sum((args.id is not None, args.all, args.user is not None)) != 1:
        raise InvalidInputError("Pass the ID of a conversation, or --user, or --all")
    if not args.yes and not _confirmed(args):
        return 1

    async def work(context: CliContext) -> None:
        delete = await context.get(DeleteConversations)
        if args.id is not None:
            removed = await delete.one(slug, parse_conversation_id(args.id), by=CLI)
        elif args.user is not None:
            removed = await delete.of_user(slug, args.channel, args.user, by=CLI)
        else:
            removed = await delete.all(slug, by=CLI)
        _print_removed(removed, as_json=args.json)

    return run(work, environ)


def _print_removed(removed: Removed, *, as_json: bool) -> None:
    if as_json:
        print_json({"deleted": True, **msgspec.structs.asdict(removed)})
    else:
        messages = count(removed.messages, "message")
        print(f"Deleted {count(removed.conversations, 'conversation')} with {messages}.")


def _confirmed(args: argparse.Namespace) -> bool:
    if not sys.stdin.isatty():
        print("polyant: no terminal to ask for confirmation: pass --yes to delete", file=sys.stderr)
        return False
    what = "all conversations" if args.all else f"the conversation {args.id}" if args.id else f"all of {args.user}"
    answer = input(f"Delete {what} of {args.slug}? Type its slug to confirm: ").strip()
    return bool(answer == args.slug)


def _fields_of(found: ConversationSummary) -> dict[str, object]:
    return {
        "id": found.id,
        "channel": found.channel,
        "user": found.user,
        "clientManaged": found.client_managed,
        "createdAt": found.created_at,
        "updatedAt": found.updated_at,
        "messages": found.messages,
        "unanswered": found.unanswered,
    }


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
