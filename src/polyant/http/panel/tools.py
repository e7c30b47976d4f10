"""/instances/{slug}/tools: the tools that an instance may use, and its MCP servers."""

from collections.abc import Iterable
from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.adapter_options import declared_options
from polyant.domain.catalog import Catalog
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance
from polyant.domain.mcp_headers import header_faults
from polyant.domain.mcp_servers import ALL_TOOLS
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.http.panel import mcp_form
from polyant.http.panel.forms import Form, FormConflictError, read_form, save_form, seen_by
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.pages import PanelRequest, see_other

_TOOL = "tool"


class ToolsPageController(Controller):
    """The tools of one instance."""

    path = "/instances/{slug:str}/tools"
    include_in_schema = False

    @get()
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        catalog: NamedDependency[Catalog],
    ) -> Response[Any]:
        """Returns the page."""
        return tools_page(request, await instance_in(slug, show_instance), catalog)

    @post()
    async def save(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        catalog: NamedDependency[Catalog],
        update_instance: NamedDependency[UpdateInstance],
    ) -> Response[Any]:
        """Enables the ticked tools, and disables all others."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        if form.is_draft:
            return tools_page(request, instance, catalog, form=form)

        async def save(stored: Instance) -> Instance:
            ticked = _ordered(stored, form.all(_TOOL))
            if ticked == stored.tools:
                return stored
            patch = InstancePatch(tools=ticked)
            return await update_instance(stored.slug, patch, by=request.auth.actor, expected_versions=[stored.version])

        try:
            await save_form(form, read=lambda: instance_in(slug, show_instance), values_of=values_of, save=save)
        except FormConflictError as conflict:
            current = await instance_in(slug, show_instance)
            return tools_page(request, current, catalog, form=form, conflict=conflict, status=409)
        except InvalidInputError as error:
            form.errors[""] = error.message
            return tools_page(request, instance, catalog, form=form, status=400)
        return see_other(f"{instance_path(instance.slug, 'tools')}?done=tools")


def values_of(instance: Instance) -> dict[str, str]:
    """Returns the value of the form, which is the same for each order of the tools."""
    return {_TOOL: ", ".join(sorted(instance.tools))}


def tools_page(
    request: PanelRequest,
    instance: Instance,
    catalog: Catalog,
    *,
    form: Form | None = None,
    added: Form | None = None,
    conflict: FormConflictError | None = None,
    status: int = 200,
) -> Response[Any]:
    """Returns the page.

    Args:
        request: The request.
        instance: The instance as stored.
        catalog: The installed tools.
        form: The form of the tools that wasn't saved.
        added: The form of an MCP server that wasn't added.
        conflict: The tools that somebody else saved while the form was open.
        status: The HTTP status.
    """
    unsaved = form or added
    new = mcp_form.values_of(None) | {"mcp_tools": ALL_TOOLS} if added is None else mcp_form.typed_values(added)
    rows, more_rows = mcp_form.shown_rows(new)
    return instance_page(
        request,
        "tools.html",
        instance,
        status=status,
        done_code="" if unsaved is None else unsaved.draft_code,
        is_kept=form is not None,
        tools=_choices(instance, catalog, instance.tools if form is None else form.all(_TOOL)),
        servers=[(server, tuple(header_faults(instance, server))) for server in instance.mcp_servers],
        errors={} if unsaved is None else unsaved.errors,
        labels=mcp_form.labels(),
        values=new,
        rows=rows,
        more_rows=more_rows,
        seen=seen_by(form, values_of(instance), conflict=conflict),
        theirs=None if conflict is None else {"Tools": conflict.stored[_TOOL]},
    )


def _choices(instance: Instance, catalog: Catalog, ticked: Iterable[str]) -> list[dict[str, Any]]:
    """Returns the installed tools, then the enabled ones that aren't installed."""
    gone = [name for name in dict.fromkeys([*instance.tools, *ticked]) if name not in catalog.tools]
    chosen = {*ticked}
    return [_choice(instance, catalog, name, ticked=name in chosen) for name in (*catalog.tools, *gone)]


def _choice(instance: Instance, catalog: Catalog, name: str, *, ticked: bool) -> dict[str, Any]:
    tool = catalog.tools.get(name)
    return {
        "name": name,
        "description": "" if tool is None else tool.description,
        "installed": tool is not None,
        "has_options": (tool is not None and declared_options(tool) is not None) or name in instance.options,
        "missing": () if tool is None else [secret for secret in tool.secrets if secret not in instance.secrets],
        "ticked": ticked,
    }


def _ordered(stored: Instance, ticked: Iterable[str]) -> tuple[str, ...]:
    """Returns the ticked tools: first those that were enabled before, in their order."""
    chosen = dict.fromkeys(ticked)
    return (*(name for name in stored.tools if name in chosen), *(name for name in chosen if name not in stored.tools))
