"""The connections and events of channels, as they are printed."""

import sys
from datetime import UTC

import msgspec

from polyant.domain.channel_info import AccountState
from polyant.domain.channel_problems import ChannelProblem
from polyant.domain.channels import ChannelConnection, Delivery
from polyant.domain.lane_work import Delivery as SentChunk
from polyant.domain.lane_work import StoredEvent


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


def send_fields(delivery: SentChunk) -> dict[str, object]:
    """Returns the fields of a sent part of an answer to print, without its text."""
    return {
        "id": delivery.id,
        "channel": delivery.channel,
        "account": delivery.account,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "ambiguous": delivery.ambiguous,
        "status": delivery.status,
        "error": delivery.error,
        "createdAt": delivery.created_at,
    }


def print_problems(account: AccountState) -> None:
    """Prints the problems of an account to standard error."""
    for problem in account.problems:
        print(f"polyant: {problem}", file=sys.stderr)
