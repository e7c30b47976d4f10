"""/instances/{slug}: how programs call an instance, its recent turns, and its figures."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.audit import AuditQuery
from polyant.domain.instances import InstanceStatus
from polyant.domain.use_cases.list_turns import ListTurns
from polyant.domain.use_cases.read_audit_trail import ReadAuditTrail
from polyant.domain.use_cases.show_activity import ShowActivity
from polyant.domain.use_cases.show_figures import ShowFigures
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.http.panel.forms import read_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path, panel_slug
from polyant.http.panel.pages import PanelRequest, base_url_of, see_other
from polyant.http.panel.paging import paging_of
from polyant.http.panel.snippets import snippets_of
from polyant.http.panel.texts import OUTCOMES

_TURNS = 10


class OverviewPageController(Controller):
    """The overview of one instance, and the switch between active and disabled."""

    path = "/instances/{slug:str}"
    include_in_schema = False

    @get()
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        list_turns: NamedDependency[ListTurns],
        show_activity: NamedDependency[ShowActivity],
        show_figures: NamedDependency[ShowFigures],
        read_audit_trail: NamedDependency[ReadAuditTrail],
    ) -> Response[Any]:
        """Returns the page."""
        instance = await instance_in(slug, show_instance)
        paging = paging_of(request, instance_path(instance.slug), rows=_TURNS)
        turns = await list_turns.of(instance, limit=_TURNS, offset=paging.offset)
        if paging.offset:
            last_at = (await show_activity([instance]))[instance.slug].last_at
        else:
            last_at = turns.turns[0].at if turns.turns else None
        changes = await read_audit_trail(AuditQuery(instance=instance.slug, limit=1))
        base_url = base_url_of(request)
        return instance_page(
            request,
            "overview.html",
            instance,
            base_url=base_url,
            snippets=snippets_of(instance, base_url),
            turns=turns.turns,
            outcomes=OUTCOMES,
            last_at=last_at,
            figures=await show_figures(instance),
            prompt_characters=sum(map(len, instance.sections.values())),
            changed=changes.entries[0] if changes.entries else None,
            **paging.context(len(turns.turns), turns.total),
        )

    @post("/enable")
    async def enable(
        self, *, request: PanelRequest, slug: FromPath[str], update_instance: NamedDependency[UpdateInstance]
    ) -> Response[Any]:
        """Serves a disabled instance again."""
        return await _switch(request, slug, update_instance, InstanceStatus.ACTIVE)

    @post("/disable")
    async def disable(
        self, *, request: PanelRequest, slug: FromPath[str], update_instance: NamedDependency[UpdateInstance]
    ) -> Response[Any]:
        """Stops serving an instance, and keeps its data."""
        return await _switch(request, slug, update_instance, InstanceStatus.DISABLED)


async def _switch(
    request: PanelRequest, path: str, update_instance: UpdateInstance, status: InstanceStatus
) -> Response[Any]:
    """Returns the redirect to the overview after changing the status, unless the form is a draft."""
    slug = panel_slug(path)
    if (await read_form(request)).is_draft:
        return see_other(instance_path(slug))
    await update_instance(slug, InstancePatch(status=status), by=request.auth.actor)
    done = "enabled" if status is InstanceStatus.ACTIVE else "disabled"
    return see_other(f"{instance_path(slug)}?done={done}")
