"""/audit and /instances/{slug}/audit: who changed what, newest first."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.audit import AuditEntry, AuditQuery
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Slug, parse_slug
from polyant.domain.prompts import SECTION_TITLES, SectionKey
from polyant.domain.use_cases.read_audit_trail import ReadAuditTrail
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.pages import PanelRequest, page
from polyant.http.panel.paging import ROWS, paging_of

KINDS: Mapping[str, str] = {
    "instance": "Instances",
    "prompts": "Prompts",
    "history": "History",
    "secret": "Secrets",
    "key": "Keys",
    "mcp_servers": "MCP servers",
    "skill": "Skills",
    "channel": "Channels",
    "conversation": "Conversations",
    "user": "Users",
    "session": "Sign-ins",
}
"""The kinds of changes that the page can be limited to."""

_SENTENCES: Mapping[str, str] = {
    "instance.create": "Created the instance",
    "instance.update": "Changed {details}",
    "instance.import": "Imported the instance",
    "instance.delete": "Deleted the instance",
    "instance.restore": "Restored state {details}",
    "history.delete": "Deleted state {details} from the history",
    "prompts.update": "Changed the prompts: {details}",
    "secret.set": "Stored the secret {details}",
    "secret.delete": "Removed the secret {details}",
    "key.issue": "Made a new key",
    "key.set": "Stored a key of their own",
    "key.revoke": "Revoked the key",
    "master_key.rotate": "Replaced the master key",
    "secret.reseal": "Encrypted secrets with the new master key",
    "backup.restore": "Restored a backup",
    "mcp_servers.set": "Saved the MCP servers: {details}",
    "mcp_servers.delete": "Removed the MCP server {details}",
    "skill.set": "Saved the skill {details}",
    "skill.delete": "Removed the skill {details}",
    "channel.connect": "Connected {details}",
    "channel.update": "Changed the channel {details}",
    "channel.import": "Imported the channel {details}",
    "channel.disconnect": "Disconnected {details}",
    "channel.approve": "Approved a user of {details}",
    "channel.replay": "Retried a message of {details}",
    "conversation.read": "Read the conversation {details}",
    "conversation.export": "Exported the conversation {details}",
    "conversation.media": "Read media of the conversation {details}",
    "conversation.delete": "Deleted the conversation {details}",
    "conversation.delete_user": "Deleted all of a user of the channel {details}",
    "conversation.delete_all": "Deleted all conversations",
    "user.create": "Created the user {user}",
    "user.update": "Changed {details} of {user}",
    "user.delete": "Deleted the user {user}",
    "session.login": "Signed in",
    "session.logout": "Signed out",
}


class AuditPageController(Controller):
    """The audit trail of all instances and users, and of one instance."""

    path = "/"
    include_in_schema = False

    @get("/audit")
    async def show(self, *, request: PanelRequest, read_audit_trail: NamedDependency[ReadAuditTrail]) -> Response[Any]:
        """Returns the changes that match the filters."""
        filters = {name: request.query_params.get(name, "").strip()[:320] for name in ("instance", "user", "action")}
        paging = paging_of(request, "/audit", filters)
        try:
            slug = parse_slug(filters["instance"]) if filters["instance"] else None
        except InvalidInputError:  # no instance can have it
            return page(request, "audit.html", entries=(), filters=filters, kinds=KINDS, **paging.context(0, 0))
        query = AuditQuery(
            instance=slug,
            user=filters["user"] or None,
            action=filters["action"] or None,
            limit=ROWS,
            offset=paging.offset,
        )
        found = await read_audit_trail(query)
        return page(
            request,
            "audit.html",
            entries=_shown(found.entries),
            filters=filters,
            kinds=KINDS,
            **paging.context(len(found.entries), found.total),
        )

    @get("/instances/{slug:str}/audit")
    async def show_instance(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        read_audit_trail: NamedDependency[ReadAuditTrail],
    ) -> Response[Any]:
        """Returns the changes of one instance."""
        instance = await instance_in(slug, show_instance)
        paging = paging_of(request, instance_path(instance.slug, "audit"))
        found = await read_audit_trail(AuditQuery(instance=instance.slug, limit=ROWS, offset=paging.offset))
        entries = _shown(found.entries, of=instance.slug)
        context = paging.context(len(found.entries), found.total)
        return instance_page(request, "instance_audit.html", instance, entries=entries, **context)


def sentence_of(entry: AuditEntry) -> str:
    """Returns what was changed, as a sentence; an unknown kind of change shows its name."""
    details = ", ".join(map(_detail, entry.details)) or "nothing"
    known = _SENTENCES.get(entry.action)
    if known is None:
        return f"{entry.action} {', '.join(entry.details)}".strip()
    return known.format(details=details, user=entry.user or "")


def _shown(entries: Sequence[AuditEntry], *, of: Slug | None = None) -> list[dict[str, Any]]:
    return [
        {
            "at": entry.at,
            "actor": entry.actor,
            "what": sentence_of(entry),
            "instance": None if of is not None else entry.instance,
        }
        for entry in entries
    ]


def _detail(name: str) -> str:
    """Returns the title of a section, or the name of another detail in words."""
    return SECTION_TITLES[SectionKey(name)] if name in {*SectionKey} else name.replace("_", " ")
