"""The store that in-memory adapters share, like a database."""

from collections.abc import Callable

from polyant.adapters.memory.instance_table import InstanceTable
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import UnknownUserError, UserChangedError
from polyant.domain.users import StoredSession, User, UserId


class MemoryStore:
    """Holds instances, users, their sessions and the audit trail."""

    def __init__(self) -> None:
        self.instances = InstanceTable()
        self.users: dict[UserId, User] = {}
        self.sessions: dict[str, StoredSession] = {}
        self.trail: list[AuditEntry] = []

    def get_user(self, user_id: UserId, *, version: int | None) -> User:
        """Returns the user.

        Raises:
            UnknownUserError: The user doesn't exist.
            UserChangedError: A version is given, and the user has another one.
        """
        user = self.users.get(user_id)
        if user is None:
            raise UnknownUserError
        if version not in {None, user.version}:
            raise UserChangedError(user.email)
        return user

    def append_audit(self, entry: AuditEntry | None) -> None:
        """Adds the entry to the trail, if there is one."""
        if entry is not None:
            self.trail.append(entry)

    def end_sessions(self, is_over: Callable[[StoredSession], bool]) -> None:
        """Removes the sessions for which `is_over` returns true."""
        self.sessions = {token_id: known for token_id, known in self.sessions.items() if not is_over(known)}
