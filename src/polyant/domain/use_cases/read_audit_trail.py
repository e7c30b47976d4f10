"""Use case: read the audit trail."""

from polyant.domain.audit import AuditPage, AuditQuery
from polyant.domain.ports.audit_log import AuditLog


class ReadAuditTrail:
    """Finds recorded changes."""

    def __init__(self, *, audit_log: AuditLog) -> None:
        self._audit_log = audit_log

    async def __call__(self, query: AuditQuery) -> AuditPage:
        """Returns a page of the matching changes, newest first."""
        return await self._audit_log.list(query)
