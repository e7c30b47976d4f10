"""/api/audit: the audit log."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Meta

from polyant.domain.audit import AuditEntry, AuditQuery
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.use_cases.read_audit_trail import ReadAuditTrail
from polyant.http.error_responses import read_errors
from polyant.http.management.wire import Page, Paging, ResponseBody, Timestamp, slug_in, time_in

_TIME_SCHEMA = {"format": "date-time"}


class AuditEntryOut(ResponseBody, frozen=True, kw_only=True):
    """One recorded change."""

    at: Timestamp
    actor: Annotated[
        str,
        Meta(
            description="Email address of the user who made the change; `cli` for the command line, `server` for "
            "the server itself",
            examples=["ada@example.com"],
        ),
    ]
    action: Annotated[str, Meta(examples=["instance.update"])]
    instance: Annotated[str, Meta(examples=["support-bot"])] | None
    user: Annotated[str, Meta(description="Email address of the user who was changed")] | None
    details: Annotated[
        tuple[str, ...], Meta(description="Names of the changed fields; never values", examples=[["name"]])
    ]


class AuditList(Page, frozen=True):
    """A page of the audit log, newest entries first."""

    entries: tuple[AuditEntryOut, ...]


class AuditController(Controller):
    """The audit log."""

    path = "/audit"
    tags = ("Audit",)

    @get(summary="List audit log entries", responses=read_errors())
    async def list_all(
        self,
        *,
        read_audit_trail: NamedDependency[ReadAuditTrail],
        paging: NamedDependency[Paging],
        instance: Annotated[
            str | None, QueryParameter(name="instance", description="Slug of the changed instance")
        ] = None,
        user: Annotated[
            str | None,
            QueryParameter(name="user", description="Email address of the user who made the change or was changed"),
        ] = None,
        action: Annotated[
            str | None,
            QueryParameter(
                name="action", description="Action, or its prefix up to a dot: `secret.set`, or `secret` for all of it"
            ),
        ] = None,
        since: Annotated[
            str | None,
            QueryParameter(name="since", description="Earliest time, inclusive; ISO 8601", schema_extra=_TIME_SCHEMA),
        ] = None,
        until: Annotated[
            str | None,
            QueryParameter(name="until", description="Latest time, exclusive; ISO 8601", schema_extra=_TIME_SCHEMA),
        ] = None,
    ) -> AuditList:
        """Returns recorded changes, newest first. Entries contain names of changed fields, never values."""
        begin, end = time_in(since, "since"), time_in(until, "until")
        try:
            slug = None if instance is None else slug_in(instance)
        except UnknownInstanceError:  # an invalid slug has no entries
            return AuditList((), **paging.of(0))
        query = AuditQuery(
            instance=slug,
            user=user,
            action=action,
            since=begin,
            until=end,
            limit=paging.limit,
            offset=paging.offset,
        )
        page = await read_audit_trail(query)
        return AuditList(tuple(map(_out, page.entries)), **paging.of(page.total))


def _out(entry: AuditEntry) -> AuditEntryOut:
    return AuditEntryOut(
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        instance=entry.instance,
        user=entry.user,
        details=entry.details,
    )
