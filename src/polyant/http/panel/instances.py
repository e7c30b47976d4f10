"""/instances: what needs attention, the search, and the table of instances."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from polyant.domain.attention import Attention, AttentionKind
from polyant.domain.instances import InstanceQuery, InstanceStatus
from polyant.domain.use_cases.list_attention import ListAttention
from polyant.domain.use_cases.list_instances import ListInstances
from polyant.domain.use_cases.show_activity import ShowActivity
from polyant.http.panel.pages import PanelRequest, is_exposed, page, uses_first_password
from polyant.http.panel.paging import ROWS, paging_of

_MAX_SEARCH_CHARACTERS = 200
_MAX_TROUBLES = 5


def _shown(found: Sequence[Attention], *, exposed: bool) -> list[Attention]:
    """Returns the problems to show; instances that anybody may call are one only if others than this machine can."""
    return [each for each in found if exposed or each.kind is not AttentionKind.OPEN]


class InstancesPageController(Controller):
    """The first page after signing in."""

    path = "/instances"
    include_in_schema = False

    @get()
    async def show(
        self,
        *,
        request: PanelRequest,
        list_instances: NamedDependency[ListInstances],
        show_activity: NamedDependency[ShowActivity],
        list_attention: NamedDependency[ListAttention],
    ) -> Response[Any]:
        """Returns the page with the instances that match the search."""
        search = request.query_params.get("search", "")[:_MAX_SEARCH_CHARACTERS].strip()
        status = request.query_params.get("status", "")
        chosen = InstanceStatus(status) if status in {*InstanceStatus} else None
        paging = paging_of(request, "/instances", {"search": search, "status": chosen or ""})
        found = await list_instances(InstanceQuery(status=chosen, search=search, limit=ROWS, offset=paging.offset))
        return page(
            request,
            "instances.html",
            any=bool(found.total or search or chosen),
            rows=found.instances,
            activity=await show_activity(found.instances),
            attention=_shown(await list_attention(), exposed=is_exposed(request)),
            troubles=_MAX_TROUBLES,
            uses_first_password=uses_first_password(request),
            search=search,
            chosen=chosen or "",
            **paging.context(len(found.instances), found.total),
        )
