"""/instances/{slug}/secrets: set, replace and remove one secret; values are never shown."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance
from polyant.domain.secrets import CALLER_KEYS, parse_secret_name
from polyant.domain.use_cases.delete_secret import DeleteSecret
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.panel.forms import Form, read_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.pages import PanelRequest, see_other

_VALUE = "secret.value"
_NAME = "secret_name"


class SecretsPageController(Controller):
    """The secrets of one instance, except the keys of its callers."""

    path = "/instances/{slug:str}/secrets"
    include_in_schema = False

    @get("/{name:str}")
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
    ) -> Response[Any]:
        """Returns the form that sets or replaces a secret."""
        return _page(request, await instance_in(slug, show_instance), Form([(_NAME, name)]), fixed=True)

    @post()
    async def add(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        set_secret: NamedDependency[SetSecret],
    ) -> Response[Any]:
        """Stores a secret whose name the form has."""
        instance = await instance_in(slug, show_instance)
        return await _store(request, instance, await read_form(request), set_secret, fixed=False)

    @post("/{name:str}")
    async def replace(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        set_secret: NamedDependency[SetSecret],
    ) -> Response[Any]:
        """Stores the secret with the name in the path."""
        instance = await instance_in(slug, show_instance)
        form = Form([*(await read_form(request)).fields, (_NAME, name)])
        return await _store(request, instance, form, set_secret, fixed=True)

    @get("/{name:str}/remove")
    async def confirm_removal(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
    ) -> Response[Any]:
        """Asks whether to remove a secret."""
        instance = await instance_in(slug, show_instance)
        if name not in {*instance.secrets} - {*CALLER_KEYS}:
            return see_other(f"{instance_path(instance.slug, 'settings')}#secrets")
        return instance_page(request, "secret_remove.html", instance, name=name)

    @post("/{name:str}/remove")
    async def remove(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        delete_secret: NamedDependency[DeleteSecret],
    ) -> Response[Any]:
        """Removes a secret; one that is gone already is no error."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        if form.is_draft:
            return instance_page(request, "secret_remove.html", instance, name=name, done_code=form.draft_code)
        if name in CALLER_KEYS:  # the key's own section revokes it
            return see_other(f"{instance_path(instance.slug, 'settings')}#secrets")
        if name in instance.secrets:
            await delete_secret(instance.slug, parse_secret_name(name), by=request.auth.actor)
        return see_other(f"{instance_path(instance.slug, 'settings')}?done=secret-removed#secrets")


async def _store(
    request: PanelRequest, instance: Instance, form: Form, set_secret: SetSecret, *, fixed: bool
) -> Response[Any]:
    """Returns the redirect after storing the secret, or the form with its errors."""
    if form.is_draft:
        return _page(request, instance, form, fixed=fixed)
    name = form.parse(_NAME, parse_secret_name)
    if name in CALLER_KEYS:
        form.errors[_NAME] = "This name belongs to the key of the callers, which has its own section"
    if not form.raw(_VALUE):
        form.errors[_VALUE] = "The value is missing"
    if form.errors or name is None:
        return _page(request, instance, form, fixed=fixed)
    try:
        await set_secret(instance.slug, name, form.raw(_VALUE), by=request.auth.actor)
    except InvalidInputError as error:
        form.errors[_VALUE] = error.message
        return _page(request, instance, form, fixed=fixed)
    return see_other(f"{instance_path(instance.slug, 'settings')}?done=secret#secrets")


def _page(request: PanelRequest, instance: Instance, form: Form, *, fixed: bool) -> Response[Any]:
    name = form.text(_NAME)
    return instance_page(
        request,
        "secret.html",
        instance,
        status=400 if form.errors else 200,
        done_code=form.draft_code,
        name=name,
        fixed=fixed,
        is_set=name in instance.secrets,
        values={_NAME: name},
        errors=form.errors,
        labels={_NAME: "Name", _VALUE: "Value"},
    )
