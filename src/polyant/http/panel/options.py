"""/instances/{slug}/options/{adapter}: an instance's options for a provider, a tool or the Supervisor."""

from collections.abc import Mapping
from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.catalog import Catalog
from polyant.domain.errors import InvalidInputError, NotFoundError
from polyant.domain.instances import Instance, JsonObject
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.http.panel.forms import Form, FormConflictError, read_form, save_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.option_form import OptionForm
from polyant.http.panel.option_texts import json_text
from polyant.http.panel.pages import PanelRequest, see_other
from polyant.http.panel.shown_forms import form_context

_REMOVE = "remove"
_UNKNOWN = "Options that the adapter doesn’t know"


class OptionsPages:
    """Renders the pages of options.

    Args:
        show_instance: Finds the instance.
        options: Validates options.
        catalog: Tells providers and tools apart.
    """

    def __init__(self, *, show_instance: ShowInstance, options: AdapterOptions, catalog: Catalog) -> None:
        self._show_instance = show_instance
        self._options = options
        self._catalog = catalog

    async def instance(self, slug: str) -> Instance:
        """Returns the instance in a path."""
        return await instance_in(slug, self._show_instance)

    def form(self, instance: Instance, adapter: str) -> OptionForm:
        """Returns the fields of an adapter that has options, or had them when they were stored.

        Raises:
            NotFoundError: The adapter has no options, and the instance has none for it.
        """
        form = OptionForm(adapter, self._options)
        if not form.is_known and adapter not in instance.options:
            raise NotFoundError(f"There is no adapter with options called {adapter}.")
        return form

    def tab(self, adapter: str) -> str:
        """Returns the tab that links to an adapter's options."""
        return "tools" if adapter in self._catalog.tools else "settings"

    def page(
        self,
        request: PanelRequest,
        instance: Instance,
        fields: OptionForm,
        form: Form | None = None,
        *,
        conflict: FormConflictError | None = None,
    ) -> Response[Any]:
        """Returns the page with the stored values, or with those of a form that wasn't saved."""
        stored = instance.options.get(fields.adapter, {})
        shown = fields.values_of(stored)
        values = shown if form is None else {name: form.raw(name, shown[name]) for name in fields.labels}
        context = form_context(form, shown, values, fields.labels | {"": _UNKNOWN}, conflict=conflict)
        return instance_page(
            request,
            "options.html",
            instance,
            **context,
            tab=self.tab(fields.adapter),
            adapter=fields.adapter,
            is_known=fields.is_known,
            is_set=fields.adapter in instance.options,
            fields=fields.fields_for(values, stored),
            faults=fields.faults_of(stored) if not context["errors"] else {},
            unknown=_as_text(fields.unknown_in(stored)),
        )


class OptionsPageController(Controller):
    """The options of one instance for one adapter."""

    path = "/instances/{slug:str}/options/{adapter:str}"
    include_in_schema = False

    @get()
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        adapter: FromPath[str],
        options_pages: NamedDependency[OptionsPages],
    ) -> Response[Any]:
        """Returns the form of the options."""
        instance = await options_pages.instance(slug)
        return options_pages.page(request, instance, options_pages.form(instance, adapter))

    @post()
    async def save(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        adapter: FromPath[str],
        options_pages: NamedDependency[OptionsPages],
        update_instance: NamedDependency[UpdateInstance],
    ) -> Response[Any]:
        """Replaces or removes the options, unless one is invalid or somebody else has changed them meanwhile."""
        instance = await options_pages.instance(slug)
        fields = options_pages.form(instance, adapter)
        form = await read_form(request)
        is_removal = bool(form.text(_REMOVE)) or not fields.is_known
        if not form.is_draft and not is_removal:
            fields.options_in(form, instance.options.get(adapter, {}))
        if form.is_draft or form.errors:
            return options_pages.page(request, instance, fields, form)

        async def save(stored: Instance) -> Instance:
            before = stored.options.get(adapter, {})
            options = None if is_removal else fields.options_in(form, before) or None
            if options == stored.options.get(adapter):
                return stored
            patch = InstancePatch(options={adapter: options})
            return await update_instance(stored.slug, patch, by=request.auth.actor, expected_versions=[stored.version])

        def values_of(stored: Instance) -> Mapping[str, str]:
            return fields.values_of(stored.options.get(adapter, {}))

        try:
            await save_form(form, read=lambda: options_pages.instance(slug), values_of=values_of, save=save)
        except FormConflictError as conflict:
            current = await options_pages.instance(slug)
            return options_pages.page(request, current, fields, form, conflict=conflict)
        except InvalidInputError as error:
            form.errors[""] = error.message
            return options_pages.page(request, instance, fields, form)
        done = "options-removed" if is_removal else "options"
        return see_other(f"{instance_path(instance.slug, options_pages.tab(adapter))}?done={done}#options")


def _as_text(options: JsonObject) -> str:
    return json_text(options, pretty=True) if options else ""
