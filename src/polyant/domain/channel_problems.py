"""Problems of channel connections that last until a success ends them."""

import enum
from collections.abc import Iterable
from datetime import datetime

import msgspec

MAX_REASON_CHARACTERS = 300


class ProblemKind(enum.StrEnum):
    """The kinds of problems, the gravest first; each is ended by a success of the same kind of call."""

    UNUSABLE = "unusable"
    """This server can't use the connection: the adapter or a credential is missing, or can't be read."""
    WEBHOOK_REFUSED = "webhook_refused"
    """Requests to the webhook are refused, for example because of a wrong signature."""
    PULL_REFUSED = "pull_refused"
    """The platform refuses the credentials when events are fetched."""
    SENDS_REFUSED = "sends_refused"
    """The platform refuses the credentials when messages are sent."""
    POLLED_ELSEWHERE = "polled_elsewhere"
    """Another program fetches the account's events."""
    UNREACHABLE = "unreachable"
    """The platform doesn't respond when events are fetched."""


class ChannelProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem of a connection that hasn't ended."""

    kind: ProblemKind
    since: datetime
    """The beginning; later failures don't change it."""
    reason: str
    """The reason of the latest failure, for operators; it contains nothing that a stranger sent."""


def with_problem(
    problems: Iterable[ChannelProblem], kind: ProblemKind, reason: str | None, *, at: datetime
) -> tuple[ChannelProblem, ...]:
    """Returns the problems with that one, or without it if there is no reason, the gravest first.

    Args:
        problems: The recorded problems; one of the same kind keeps its beginning.
        kind: The kind to record or to end.
        reason: The reason; None ends the problem.
        at: The time of the failure.
    """
    found = {problem.kind: problem for problem in problems}
    before = found.pop(kind, None)
    if reason is not None:
        since = at if before is None else before.since
        found[kind] = ChannelProblem(kind=kind, since=since, reason=reason[:MAX_REASON_CHARACTERS])
    return tuple(found[each] for each in ProblemKind if each in found)
