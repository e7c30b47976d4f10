"""/instances/{slug}/delete: asks for the slug, then deletes the instance."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.secrets import CALLER_KEYS
from polyant.domain.use_cases.delete_instance import DeleteInstance
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.panel.forms import Form, read_form
from polyant.http.panel.instance_frame import instance_in, instance_page
from polyant.http.panel.pages import PanelRequest, see_other


class DeletePageController(Controller):
    """The confirmation page that deletes an instance."""

    path = "/instances/{slug:str}/delete"
    include_in_schema = False

    @get()
    async def confirm(
        self, *, request: PanelRequest, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[Any]:
        """Asks for the slug."""
        return await _page(request, slug, show_instance, Form())

    @post()
    async def remove(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        delete_instance: NamedDependency[DeleteInstance],
    ) -> Response[Any]:
        """Deletes the instance if the form has its slug."""
        form = await read_form(request)
        if form.is_draft:
            return await _page(request, slug, show_instance, Form(), done_code=form.draft_code)
        instance = await instance_in(slug, show_instance)
        if form.text("confirm") != instance.slug:
            form.errors["confirm"] = "That isn’t the slug. Nothing was deleted."
            return await _page(request, slug, show_instance, form)
        await delete_instance(instance.slug, by=request.auth.actor)
        return see_other("/instances?done=deleted")


async def _page(
    request: PanelRequest, slug: str, show_instance: ShowInstance, form: Form, *, done_code: str = ""
) -> Response[Any]:
    instance = await instance_in(slug, show_instance)
    return instance_page(
        request,
        "delete.html",
        instance,
        status=400 if form.errors else 200,
        done_code=done_code,
        values=form.shown(["confirm"]),
        errors=form.errors,
        secrets=len({*instance.secrets} - {*CALLER_KEYS}),
    )
