"""The audit trail: who changed what and when. It never contains values."""

from datetime import datetime
from typing import NewType

import msgspec

from polyant.domain.instances import Slug

Actor = NewType("Actor", str)
"""The author of a change: a user's email address, `CLI` or `SERVER`."""

CLI = Actor("cli")
SERVER = Actor("server")


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded change."""

    at: datetime
    actor: str
    """The author: a user's email address, `cli` for the command line, `server` for the server itself."""
    action: str
    """The kind of change, for example `instance.create`, `secret.set`, `user.update` or `session.login`."""
    instance: Slug | None = None
    user: str | None = None
    """The email address of the affected user."""
    details: tuple[str, ...] = ()
    """The names of the changed fields, sections, secrets or tools; never values."""


class Change(msgspec.Struct, frozen=True):
    """A change that is about to be made, and its author."""

    actor: Actor
    action: str
    details: tuple[str, ...] = ()

    def entry(self, at: datetime, *, instance: Slug | None = None, user: str | None = None) -> AuditEntry:
        """Returns the audit entry for this change."""
        return AuditEntry(
            at=at, actor=self.actor, action=self.action, instance=instance, user=user, details=self.details
        )


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query for audit entries that meet all given conditions, newest first."""

    instance: Slug | None = None
    user: str | None = None
    """The author of the change, or the affected user."""
    action: str | None = None
    """The full action, or its leading dot-separated parts: `secret` matches `secret.set`."""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    offset: int = 0


class AuditPage(msgspec.Struct, frozen=True):
    """One page of audit entries, and the total number of entries that match the query."""

    entries: tuple[AuditEntry, ...]
    total: int
