"""polyant channels dead-letters, doubtful-sends and replay."""

import argparse
from collections.abc import Mapping

from polyant.cli.channel_output import event_fields, send_fields
from polyant.cli.context import CliContext, run
from polyant.cli.output import print_json, print_table
from polyant.domain.audit import CLI
from polyant.domain.instances import parse_slug
from polyant.domain.use_cases.list_dead_letters import ListDeadLetters

Environ = Mapping[str, str]


def dead_letters(args: argparse.Namespace, environ: Environ) -> int | None:
    """Prints the events that failed for good."""

    async def work(context: CliContext) -> None:
        slug = None if args.slug is None else parse_slug(args.slug)
        page = await (await context.get(ListDeadLetters))(slug, limit=1_000)
        if args.json:
            print_json({"deadLetters": list(map(event_fields, page.events)), "total": page.total})
            return
        rows = [(each.id, each.received_at, each.channel, each.attempts, each.error) for each in page.events]
        print_table(("ID", "RECEIVED", "CHANNEL", "ATTEMPTS", "ERROR"), rows)

    return run(work, environ)


def doubtful_sends(args: argparse.Namespace, environ: Environ) -> int | None:
    """Prints the sends of which the platform didn't say whether it took them."""

    async def work(context: CliContext) -> None:
        slug = None if args.slug is None else parse_slug(args.slug)
        page = await (await context.get(ListDeadLetters)).doubtful_sends(slug, limit=1_000)
        if args.json:
            print_json({"doubtfulSends": list(map(send_fields, page.deliveries)), "total": page.total})
            return
        rows = [
            (each.id, each.created_at, each.channel, each.state, each.attempts, each.ambiguous)
            for each in page.deliveries
        ]
        print_table(("ID", "CREATED", "CHANNEL", "STATE", "ATTEMPTS", "AMBIGUOUS"), rows)

    return run(work, environ)


def replay(args: argparse.Namespace, environ: Environ) -> int | None:
    """Lets a dead letter be answered again."""

    async def work(context: CliContext) -> None:
        await (await context.get(ListDeadLetters)).replay(args.id, by=CLI)
        if args.json:
            print_json({"replayed": True})
        else:
            print(f"Event {args.id} will be answered by a running server.")

    return run(work, environ)
