"""/instances/{slug}/settings: name, model and limits of an instance, and who may call it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.base_urls import correction_of
from polyant.domain.catalog import Catalog
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import (
    DEFAULT_HISTORY_MESSAGES,
    DEFAULT_HISTORY_TOKENS,
    MAX_HISTORY_MESSAGES,
    MAX_HISTORY_TOKENS,
    MIN_HISTORY_MESSAGES,
    MIN_HISTORY_TOKENS,
    Instance,
    TranscriptReaders,
)
from polyant.domain.limits import MAX_LIMIT_SECONDS, MAX_STEPS, MAX_TOOL_CALLS, TurnBudget
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.provider_keys import ProviderKeys, moved_key
from polyant.domain.secret_states import secret_states
from polyant.domain.secrets import CALLER_KEYS
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.http.panel.fields import (
    base_url_field,
    choice_field,
    description_field,
    model_field,
    name_field,
    number_field,
    parsed,
    temperature_field,
    whole_number_field,
    with_default,
)
from polyant.http.panel.forms import Form, FormConflictError, read_form, save_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.option_form import adapters_with_options
from polyant.http.panel.pages import PanelRequest, see_other
from polyant.http.panel.shown_forms import differing, form_context

LABELS = {
    "name": "Name",
    "description": "Description",
    "provider": "Provider",
    "model": "Model",
    "base_url": "Base URL",
    "temperature": "Temperature",
    "conversations": "Keep conversations",
    "history_tokens": "Tokens of stored messages",
    "history_messages": "Stored messages",
    "transcripts": "Who may read texts",
    "image_input": "Images",
    "max_steps": "Model calls",
    "max_tool_calls": "Tool calls",
    "turn_seconds": "Seconds for the whole turn",
    "tool_seconds": "Seconds for one tool",
}
"""The fields of the form, and their labels."""

_PARSERS = {
    "name": name_field,
    "description": description_field,
    "model": model_field,
    "base_url": base_url_field,
    "temperature": temperature_field,
    "conversations": choice_field({"on": True, "off": False}),
    "history_tokens": with_default(
        DEFAULT_HISTORY_TOKENS,
        whole_number_field("The number", minimum=MIN_HISTORY_TOKENS, maximum=MAX_HISTORY_TOKENS, example="8000"),
    ),
    "history_messages": with_default(
        DEFAULT_HISTORY_MESSAGES,
        whole_number_field("The number", minimum=MIN_HISTORY_MESSAGES, maximum=MAX_HISTORY_MESSAGES, example="100"),
    ),
    "transcripts": choice_field({str(readers): readers for readers in TranscriptReaders}),
    "image_input": choice_field({"on": True, "off": False}),
    "max_steps": whole_number_field("Model calls", minimum=1, maximum=MAX_STEPS, example="15"),
    "max_tool_calls": whole_number_field("Tool calls", minimum=0, maximum=MAX_TOOL_CALLS, example="50"),
    "turn_seconds": number_field("The time", minimum=0.001, maximum=MAX_LIMIT_SECONDS, example="60"),
    "tool_seconds": number_field("The time", minimum=0.001, maximum=MAX_LIMIT_SECONDS, example="30"),
}


class SettingsPages:
    """Renders the page of settings.

    Args:
        catalog: The providers and the tools.
        options: The options of adapters.
        budget: The server's limits, which the page names where the instance has none of its own.
        provider_keys: Knows the providers for which the server has a key.
    """

    def __init__(
        self, *, catalog: Catalog, options: AdapterOptions, budget: TurnBudget, provider_keys: ProviderKeys
    ) -> None:
        self._catalog = catalog
        self._options = options
        self._budget = budget
        self._provider_keys = provider_keys

    def page(
        self,
        request: PanelRequest,
        instance: Instance,
        form: Form | None = None,
        *,
        status: int = 200,
        conflict: FormConflictError | None = None,
        notice: str = "",
        done_code: str = "",
        access: bool | None = None,
    ) -> Response[Any]:
        """Returns the page with the stored values, or with those of a form that wasn't saved.

        Args:
            request: The request.
            instance: The instance as stored.
            form: The form that wasn't saved.
            status: The HTTP status of a page without a form.
            conflict: The values that somebody else saved while the form was open.
            notice: An error that isn't about a field of the form.
            done_code: The code of the sentence at the top, if `form` doesn't determine it.
            access: The choice of a form of access that wasn't saved: whether callers need a key.
        """
        stored = values_of(instance)
        values = stored if form is None else form.shown(LABELS)
        context = form_context(form, stored, values, LABELS, conflict=conflict)
        if form is None:
            context |= {"status": status, "done_code": done_code}
        states = secret_states(instance, self._catalog.providers, self._catalog.tools)
        provider = self._catalog.providers.get(instance.provider)
        return instance_page(
            request,
            "settings.html",
            instance,
            **context,
            asks_for_key=instance.auth_enabled if access is None else access,
            notice=notice,
            providers=[*self._catalog.providers, *({instance.provider} - {*self._catalog.providers})],
            default_base_url="" if provider is None else provider.base_url,
            budget=self._budget,
            may_share=request.auth.unrestricted or instance.transcripts is TranscriptReaders.USERS,
            secrets=[state for state in states if state.name not in CALLER_KEYS],
            adapters=adapters_with_options(instance, self._options, self._catalog),
            moved=moved_key(instance, self._catalog.providers) is not None,
            provider_secret=None if provider is None else provider.secret,
        )

    def after_save(self, saved: Instance, *, before: Instance, given_base_url: str) -> str:
        """Returns the page to show next: that of the provider's key if the key has to be entered now.

        Args:
            saved: The instance as saved.
            before: The instance as it was.
            given_base_url: The base URL in the form, which may have been corrected.
        """
        provider = self._catalog.providers.get(saved.provider)
        is_new = saved.provider != before.provider and saved.base_url is None
        if is_new and provider is not None and self._lacks_key(saved, provider):
            return f"{instance_path(saved.slug, 'secrets')}/{provider.secret}?done=settings-no-key"
        done = "settings" if correction_of(given_base_url) is None else "settings-address"
        return page_after(saved, self._catalog, tab="settings", done=done)

    def _lacks_key(self, instance: Instance, provider: ProviderInfo) -> bool:
        has_own = provider.secret in {None, *instance.secrets}
        return not has_own and not self._provider_keys.server_has_key(provider)


class SettingsPageController(Controller):
    """The settings of one instance."""

    path = "/instances/{slug:str}"
    include_in_schema = False

    @get("/settings")
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        settings_pages: NamedDependency[SettingsPages],
    ) -> Response[Any]:
        """Returns the page."""
        return settings_pages.page(request, await instance_in(slug, show_instance))

    @post("/settings")
    async def save(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        update_instance: NamedDependency[UpdateInstance],
        settings_pages: NamedDependency[SettingsPages],
    ) -> Response[Any]:
        """Saves the form, unless a value is invalid or somebody else has saved other values meanwhile."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        given = parsed(form, _PARSERS) | {"provider": form.text("provider")}
        if form.is_draft:
            form.errors.clear()
            return settings_pages.page(request, instance, form)
        if form.errors:
            return settings_pages.page(request, instance, form)

        async def save(stored: Instance) -> Instance:
            return await update_instance(
                stored.slug,
                patch_of(stored, form, given),
                by=request.auth.actor,
                unrestricted=request.auth.unrestricted,
                expected_versions=[stored.version],
            )

        try:
            saved = await save_form(form, read=lambda: instance_in(slug, show_instance), values_of=values_of, save=save)
        except FormConflictError as conflict:
            return settings_pages.page(request, instance, form, conflict=conflict)
        except InvalidInputError as error:
            form.errors[""] = error.message
            return settings_pages.page(request, instance, form)
        return see_other(settings_pages.after_save(saved, before=instance, given_base_url=form.text("base_url")))

    @post("/access")
    async def save_access(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        update_instance: NamedDependency[UpdateInstance],
        settings_pages: NamedDependency[SettingsPages],
    ) -> Response[Any]:
        """Saves who may call the instance."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        asks_for_key = form.text("auth") != "off"
        if form.is_draft:
            return settings_pages.page(request, instance, done_code=form.draft_code, access=asks_for_key)
        patch = InstancePatch(auth_enabled=asks_for_key)
        try:
            await update_instance(instance.slug, patch, by=request.auth.actor)
        except InvalidInputError:
            notice = "There is no key yet, so nobody could call. Make a key: that also asks callers for it."
            return settings_pages.page(request, instance, status=400, notice=notice, access=asks_for_key)
        return see_other(f"{instance_path(instance.slug, 'settings')}?done=access#key")


def values_of(instance: Instance) -> dict[str, str]:
    """Returns the values of the settings form, as text by field."""
    limits = msgspec.structs.asdict(instance.limits)
    values = {name: limits[name] if name in limits else getattr(instance, name) for name in LABELS}
    return {name: _text(value) for name, value in values.items()}


def page_after(saved: Instance, catalog: Catalog, *, tab: str, done: str) -> str:
    """Returns the page to show after a save of settings.

    It is that of the provider's key if the key was entered for another address.

    Args:
        saved: The instance as saved.
        catalog: The providers.
        tab: The tab to show otherwise.
        done: The code of the sentence at the top; `-key` is added to it on the page of the key.
    """
    provider = catalog.providers.get(saved.provider)
    if provider is None or moved_key(saved, catalog.providers) is None:
        return f"{instance_path(saved.slug, tab)}?done={done}"
    return f"{instance_path(saved.slug, 'secrets')}/{provider.secret}?done={done}-key"


def patch_of(stored: Instance, form: Form, given: Mapping[str, object]) -> InstancePatch:
    """Returns the changes to the stored values, so that the audit trail names only those.

    A new provider gets its default model and address, unless the form has others.
    """
    names = differing(values_of(stored), form.shown(LABELS))
    changes: dict[str, Any] = {name: given[name] for name in names}
    if not changes.get("model", True):
        del changes["model"]
    return InstancePatch(**changes)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
