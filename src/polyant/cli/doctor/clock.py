"""Checks the clock of this machine against the stored data."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from polyant.cli.context import CliContext
from polyant.cli.doctor.finding import Finding, ok, warning
from polyant.domain.audit import AuditQuery
from polyant.domain.instances import InstanceQuery
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.turn_log import TurnLog

_TOLERANCE = timedelta(minutes=1)
"""The difference that hosts with synchronised clocks never reach."""
_FIX = (
    "Set the clock, for example with `timedatectl set-ntp true`; if it is right, another host stored that row with a "
    "wrong one. While the clock is behind, sessions and keys expire late and turn metrics are kept for too long"
)


async def check_clock(context: CliContext) -> AsyncIterator[Finding]:
    """Yields whether the clock is later than the newest row: audit entry, instance or turn."""
    now = (await context.get(Clock)).now()
    newest = await _newest(context, now)
    if newest > now + _TOLERANCE:
        problem = f"it is {_shown(now)} on this machine, but the newest row is of {_shown(newest)}"
        yield warning("clock", problem, fix=_FIX)
    else:
        yield ok("clock", f"{_shown(now)} is at most a minute behind the newest row")


async def _newest(context: CliContext, now: datetime) -> datetime:
    entries = (await (await context.get(AuditLog)).list(AuditQuery(limit=1))).entries
    instances = (await (await context.get(InstanceRepo)).list(InstanceQuery())).instances
    begins = {instance.slug: instance.created_at for instance in instances}
    activity = await (await context.get(TurnLog)).activity(begins, since=now)
    moments = [*(entry.at for entry in entries), *(instance.updated_at for instance in instances)]
    moments += [each.last_at for each in activity.values() if each.last_at is not None]
    return max(moments, default=now)


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
