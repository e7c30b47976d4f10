"""What several adapters in memory share, as others share a database."""

from collections.abc import Callable

from polyant.domain.audit import AuditEntry
from polyant.domain.users import StoredSession, User, UserId


class MemoryStore:
    """Holds users, their sessions and the audit trail for as long as the process lives."""

    def __init__(self) -> None:
        self.users: dict[UserId, User] = {}
        self.sessions: dict[str, StoredSession] = {}
        self.trail: list[AuditEntry] = []

    def note(self, entry: AuditEntry | None) -> None:
        """Adds the entry to the trail, if there is one."""
        if entry is not None:
            self.trail.append(entry)

    def end_sessions(self, is_over: Callable[[StoredSession], bool]) -> None:
        """Removes the sessions for which that is true."""
        self.sessions = {token_id: known for token_id, known in self.sessions.items() if not is_over(known)}
