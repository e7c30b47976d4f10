"""The audit trail in memory."""

from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry, AuditPage, AuditQuery
from polyant.domain.ports.audit_log import AuditLog


class MemoryAuditLog(AuditLog):
    """Keeps the trail in memory.

    Args:
        memory: The store of the repositories whose entries the log contains; None for a separate store.
    """

    def __init__(self, *, memory: MemoryStore | None = None) -> None:
        self._memory = memory or MemoryStore()

    async def add(self, entry: AuditEntry) -> None:
        self._memory.append_audit(entry)

    async def list(self, query: AuditQuery) -> AuditPage:
        oldest_first = sorted(
            (entry for entry in self._memory.trail if _matches(entry, query)), key=lambda each: each.at
        )
        found = oldest_first[::-1]  # reversed, so that the last of several entries with equal times comes first
        return AuditPage(tuple(found[query.offset : query.offset + query.limit]), len(found))


def _matches(entry: AuditEntry, query: AuditQuery) -> bool:
    return (
        query.instance in {None, entry.instance}
        and query.user in {None, entry.actor, entry.user}
        and (query.action is None or f"{entry.action}.".startswith(f"{query.action}."))
        and (query.since is None or entry.at >= query.since)
        and (query.until is None or entry.at < query.until)
    )
