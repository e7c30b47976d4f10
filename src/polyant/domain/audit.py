"""The audit trail: who changed what and when; never a value."""

from datetime import datetime
from typing import NewType

import msgspec

from polyant.domain.instances import Slug

Actor = NewType("Actor", str)
"""Who changes something: a user's email address, or one of these."""

CLI = Actor("cli")
SERVER = Actor("server")


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change."""

    at: datetime
    actor: str
    """Who did it: a user's email address, `cli` for the command line, `server` for the server itself."""
    action: str
    """What was done, as `instance.create`, `secret.set`, `user.disable`, `session.login`."""
    instance: Slug | None = None
    user: str | None = None
    """The email address of the user it was done to."""
    details: tuple[str, ...] = ()
    """Names of what was changed: fields, sections, secrets, tools; never values."""


class Change(msgspec.Struct, frozen=True):
    """What is about to be done, and by whom."""

    actor: Actor
    action: str
    details: tuple[str, ...] = ()

    def entry(self, at: datetime, *, instance: Slug | None = None, user: str | None = None) -> AuditEntry:
        """Returns the entry that tells of it."""
        return AuditEntry(
            at=at, actor=self.actor, action=self.action, instance=instance, user=user, details=self.details
        )


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries to list: those that meet every condition given, newest first."""

    instance: Slug | None = None
    user: str | None = None
    """Who did it or whom it was done to."""
    action: str | None = None
    """The whole action, or what it begins with up to a dot: `secret` finds `secret.set`."""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    offset: int = 0


class AuditPage(msgspec.Struct, frozen=True):
    """One page of the trail, and how many entries the whole of it has."""

    entries: tuple[AuditEntry, ...]
    total: int
