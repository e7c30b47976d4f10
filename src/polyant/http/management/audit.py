"""/api/audit: who changed what, and when."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Meta

from polyant.domain.audit import AuditEntry, AuditQuery
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.use_cases.read_audit_trail import ReadAuditTrail
from polyant.http.management.wire import Answer, Moment, Page, Paging, moment_in, slug_in
from polyant.http.refusals import read_refusals

_MOMENT = {"format": "date-time"}


class AuditEntryOut(Answer, frozen=True, kw_only=True):
    """One change."""

    at: Moment
    actor: Annotated[
        str,
        Meta(
            description="A user's email address, `cli` for the command line, `server` for the server itself",
            examples=["ada@example.com"],
        ),
    ]
    action: Annotated[str, Meta(examples=["instance.update"])]
    instance: Annotated[str, Meta(examples=["support-bot"])] | None
    user: Annotated[str, Meta(description="The email address of the user it was done to")] | None
    details: Annotated[
        tuple[str, ...], Meta(description="Names of what was changed; never values", examples=[["name"]])
    ]


class AuditList(Page, frozen=True):
    """A page of the audit trail, newest first."""

    entries: tuple[AuditEntryOut, ...]


class AuditController(Controller):
    """The audit trail."""

    path = "/audit"
    tags = ("Audit",)

    @get(summary="Read the audit trail", responses=read_refusals())
    async def list_all(
        self,
        *,
        read_audit_trail: NamedDependency[ReadAuditTrail],
        paging: NamedDependency[Paging],
        instance: Annotated[str | None, QueryParameter(name="instance", description="The slug it was done to")] = None,
        user: Annotated[
            str | None, QueryParameter(name="user", description="Who did it, or whom it was done to")
        ] = None,
        action: Annotated[
            str | None,
            QueryParameter(name="action", description="The action, or its beginning up to a dot: secret, secret.set"),
        ] = None,
        since: Annotated[
            str | None, QueryParameter(name="since", description="Not before this", schema_extra=_MOMENT)
        ] = None,
        until: Annotated[
            str | None, QueryParameter(name="until", description="Before this", schema_extra=_MOMENT)
        ] = None,
    ) -> AuditList:
        """Lists changes, newest first: names of what was changed, never values."""
        begin, end = moment_in(since, "since"), moment_in(until, "until")
        try:
            slug = None if instance is None else slug_in(instance)
        except UnknownInstanceError:  # nothing was ever done to it
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
