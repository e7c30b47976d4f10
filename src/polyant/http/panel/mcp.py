"""/instances/{slug}/mcp: add, edit, test and remove one MCP server."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.catalog import Catalog
from polyant.domain.errors import InvalidInputError, NotFoundError
from polyant.domain.instances import Instance
from polyant.domain.mcp_headers import header_faults
from polyant.domain.mcp_servers import McpServer
from polyant.domain.use_cases.check_mcp_server import CheckMcpServer, McpServerCheck
from polyant.domain.use_cases.delete_mcp_server import DeleteMcpServer
from polyant.domain.use_cases.set_mcp_server import McpServerChange, McpServerExistsError, SetMcpServer
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.panel.forms import Form, FormConflictError, read_form, save_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.mcp_form import (
    UNTESTED,
    ask_again,
    change_in,
    labels,
    record_check,
    shown_rows,
    typed_values,
    values_of,
)
from polyant.http.panel.pages import PanelRequest, see_other
from polyant.http.panel.shown_forms import form_context
from polyant.http.panel.tools import tools_page

_MAX_SHOWN_TOOLS = 50


class McpPageController(Controller):
    """The MCP servers of one instance, which its page of tools lists."""

    path = "/instances/{slug:str}/mcp"
    include_in_schema = False

    @get(sync_to_thread=False)
    def show_all(self, slug: FromPath[str]) -> Response[Any]:
        """Redirects to the list."""
        return see_other(f"/instances/{slug}/tools#mcp")

    @post()
    async def add(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        catalog: NamedDependency[Catalog],
        check_mcp_server: NamedDependency[CheckMcpServer],
        set_mcp_server: NamedDependency[SetMcpServer],
    ) -> Response[Any]:
        """Adds a server, after a test unless the form says otherwise."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        if form.is_draft:
            return tools_page(request, instance, catalog, added=form)
        change = change_in(form, instance, stored=None, replaces=None)

        async def save() -> None:
            await set_mcp_server(instance.slug, change, by=request.auth.actor, unrestricted=request.auth.unrestricted)

        if not await _saved(request, instance, form, change, check=check_mcp_server, save=save):
            return tools_page(request, instance, catalog, added=form, status=400)
        return _done(instance, form)

    @get("/{name:str}")
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
    ) -> Response[Any]:
        """Returns the form that edits a server."""
        instance = await instance_in(slug, show_instance)
        return _page(request, instance, _server_in(instance, name).name)

    @post("/{name:str}")
    async def save(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        check_mcp_server: NamedDependency[CheckMcpServer],
        set_mcp_server: NamedDependency[SetMcpServer],
    ) -> Response[Any]:
        """Saves a server, after a test unless the form says otherwise."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        if form.is_draft:
            return _page(request, instance, name, form)
        change = change_in(form, instance, stored=_find(instance, name), replaces=name)

        async def put(stored: Instance) -> Instance:
            return await set_mcp_server(
                stored.slug,
                change,
                by=request.auth.actor,
                unrestricted=request.auth.unrestricted,
                expected_versions=[stored.version],
            )

        async def save() -> None:
            await save_form(
                form,
                read=lambda: instance_in(slug, show_instance),
                values_of=lambda stored: values_of(_find(stored, name)),
                save=put,
            )

        try:
            saved = await _saved(request, instance, form, change, check=check_mcp_server, save=save)
        except FormConflictError as conflict:
            return _page(request, await instance_in(slug, show_instance), name, form, conflict=conflict)
        return _done(instance, form) if saved else _page(request, instance, name, form)

    @get("/{name:str}/test", sync_to_thread=False)
    def show_tested(self, slug: FromPath[str], name: FromPath[str]) -> Response[Any]:
        """Redirects to the server: a test is shown only in the response that makes it."""
        return see_other(f"/instances/{slug}/mcp/{name}")

    @post("/{name:str}/test", status_code=200)
    async def test(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        check_mcp_server: NamedDependency[CheckMcpServer],
    ) -> Response[Any]:
        """Tests a stored server, and returns its page with the result."""
        instance = await instance_in(slug, show_instance)
        server = _server_in(instance, name)
        if (await read_form(request)).is_draft:
            return _page(request, instance, server.name)
        check = await check_mcp_server(instance.slug, server.name)
        return _page(request, instance, server.name, check=check)

    @get("/{name:str}/remove")
    async def confirm(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
    ) -> Response[Any]:
        """Asks whether to remove a server."""
        instance = await instance_in(slug, show_instance)
        return instance_page(request, "mcp_remove.html", instance, server=_server_in(instance, name))

    @post("/{name:str}/remove")
    async def remove(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        delete_mcp_server: NamedDependency[DeleteMcpServer],
    ) -> Response[Any]:
        """Removes a server; one that is gone already is no error."""
        instance = await instance_in(slug, show_instance)
        server = _find(instance, name)
        form = await read_form(request)
        if form.is_draft and server is not None:
            return instance_page(request, "mcp_remove.html", instance, server=server, done_code=form.draft_code)
        if server is not None:
            await delete_mcp_server(instance.slug, server.name, by=request.auth.actor)
        return see_other(f"{instance_path(instance.slug, 'tools')}?done=mcp-removed#mcp")


async def _saved(
    request: PanelRequest,
    instance: Instance,
    form: Form,
    change: McpServerChange,
    *,
    check: CheckMcpServer,
    save: Callable[[], Awaitable[None]],
) -> bool:
    """Returns whether the server was saved, after a test if the form asks for one; otherwise, the form has errors."""
    try:
        if not form.errors and not form.text(UNTESTED):
            record_check(form, await check.unsaved(instance.slug, change, unrestricted=request.auth.unrestricted))
        if not form.errors:
            await save()
            return True
    except McpServerExistsError:
        form.errors["mcp_name"] = f"There is an MCP server called {change.server.name} already. Choose another name."
    except InvalidInputError as error:
        form.errors[""] = error.message
    ask_again(form)
    return False


def _done(instance: Instance, form: Form) -> Response[Any]:
    done = "mcp" if form.text(UNTESTED) else "mcp-tested"
    return see_other(f"{instance_path(instance.slug, 'tools')}?done={done}#mcp")


def _find(instance: Instance, name: str) -> McpServer | None:
    return next((server for server in instance.mcp_servers if server.name == name), None)


def _server_in(instance: Instance, name: str) -> McpServer:
    """Returns the server whose name is in a path.

    Raises:
        NotFoundError: There is none.
    """
    server = _find(instance, name)
    if server is None:
        raise NotFoundError(f"{instance.name} has no MCP server called {name}.")
    return server


def _page(
    request: PanelRequest,
    instance: Instance,
    name: str,
    form: Form | None = None,
    *,
    conflict: FormConflictError | None = None,
    check: McpServerCheck | None = None,
) -> Response[Any]:
    """Returns the page of a server; in a conflict, the server may be gone."""
    server = _find(instance, name)
    stored = values_of(server)
    values = stored if form is None else typed_values(form)
    rows, more_rows = shown_rows(values)
    if conflict is not None:  # headers that the other one removed are empty now
        conflict = FormConflictError({**dict.fromkeys(values, ""), **conflict.stored})
    return instance_page(
        request,
        "mcp.html",
        instance,
        **form_context(form, stored, values, labels(), conflict=conflict),
        name=name,
        faults=() if server is None else tuple(header_faults(instance, server)),
        rows=rows,
        more_rows=more_rows,
        check=check,
        shown_tools=_MAX_SHOWN_TOOLS,
    )
