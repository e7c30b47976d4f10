"""/create: a new instance with its first section, its provider's key and its API key, in one transaction."""

from collections.abc import Mapping
from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency

from polyant.domain.catalog import Catalog
from polyant.domain.errors import InstanceExistsError, InvalidInputError, PolyantError, UnknownInstanceError
from polyant.domain.instances import MAX_NAME_CHARACTERS, Instance, parse_slug, slug_from
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.prompts import SectionKey, check_section
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.secrets import SecretName, parse_secret_value
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.panel.fields import base_url_field, model_field, name_field, parsed, temperature_field
from polyant.http.panel.forms import Form, read_form
from polyant.http.panel.instance_frame import instance_in
from polyant.http.panel.keys import key_page
from polyant.http.panel.pages import PanelRequest, page, see_other

_DEMO = "scripted"
_KEY_FIELD = "secret.provider_key"
_SOURCE = "from"
_COPY = " (copy)"
_FIELDS = ("name", "slug", "provider", "identity", "model", "base_url", "temperature", "issue_key")
_LABELS = {
    "name": "Name",
    "slug": "Slug",
    "provider": "Provider",
    _KEY_FIELD: "The provider’s API key",
    "identity": "What should it be and do?",
    "model": "Model",
    "base_url": "Base URL",
    "temperature": "Temperature",
}
_DESCRIPTIONS = {
    "openai": "OpenAI, or a compatible server",
    "anthropic": "Anthropic",
    _DEMO: "Built-in demonstration",
}


class CreatePageController(Controller):
    """The page that creates an instance."""

    path = "/create"
    include_in_schema = False

    @get()
    async def show(
        self,
        *,
        request: PanelRequest,
        catalog: NamedDependency[Catalog],
        provider_keys: NamedDependency[ProviderKeys],
        show_instance: NamedDependency[ShowInstance],
    ) -> Response[Any]:
        """Returns the empty form, or that of a copy; a provider whose key the server has is chosen beforehand."""
        source = request.query_params.get(_SOURCE)
        if source:
            form = _form_of(await instance_in(source, show_instance))
            return _page(request, form, catalog.providers, provider_keys)
        with_key = (info.name for info in catalog.providers.values() if provider_keys.server_has_key(info))
        chosen = next(with_key, _DEMO if _DEMO in catalog.providers else next(iter(catalog.providers)))
        form = Form([("provider", chosen), ("issue_key", "on")])
        return _page(request, form, catalog.providers, provider_keys)

    @post()
    async def create(
        self,
        *,
        request: PanelRequest,
        catalog: NamedDependency[Catalog],
        provider_keys: NamedDependency[ProviderKeys],
        create_instance: NamedDependency[CreateInstance],
    ) -> Response[Any]:
        """Creates the instance, and shows its API key or its overview."""
        form = await read_form(request)
        if form.is_draft:
            return _page(request, form, catalog.providers, provider_keys, done=form.draft_code)
        new = _new_instance(form, catalog.providers)
        try:
            if form.errors:
                return _page(request, form, catalog.providers, provider_keys)
            created = await create_instance(new, by=request.auth.actor, unrestricted=request.auth.unrestricted)
        except (UnknownInstanceError, InstanceExistsError, InvalidInputError) as error:
            _record(form, new, error)
            return _page(request, form, catalog.providers, provider_keys)
        if created.key is None:
            return see_other(f"/instances/{created.instance.slug}?done=created")
        return key_page(request, created.instance, created.key)


def _record(form: Form, new: NewInstance, error: PolyantError) -> None:
    match error:
        case UnknownInstanceError():
            form.errors[""] = f"There is no instance called {new.copy_of} any more, so it can’t be copied."
        case InstanceExistsError():
            form.errors["slug"] = f"There is an instance called {new.slug} already. Choose another slug."
        case _:
            form.errors[""] = error.message


def _new_instance(form: Form, providers: Mapping[str, ProviderInfo]) -> NewInstance:
    """Returns the instance that the form describes; its errors are recorded in the form."""
    values: dict[str, Any] = parsed(
        form, {"name": name_field, "model": model_field, "base_url": base_url_field, "temperature": temperature_field}
    )
    slug = form.text("slug") or slug_from(form.text("name"))
    if not slug and "name" not in form.errors:
        form.errors["slug"] = "The name has no letters or digits for a slug. Type one, for example support-bot."
    elif slug:
        form.parse("slug", lambda _: parse_slug(slug))
    provider = providers.get(form.text("provider"))
    if provider is None:
        form.errors["provider"] = "Choose a provider"
    identity, source = form.text("identity"), form.text(_SOURCE)
    form.parse("identity", lambda text: check_section(SectionKey.IDENTITY, text))
    return NewInstance(
        slug=slug,
        provider="" if provider is None else provider.name,
        sections={SectionKey.IDENTITY: identity} if identity or source else {},
        copy_of=form.parse(_SOURCE, parse_slug) if source else None,
        secrets=_secrets(form, provider),
        issue_key=form.text("issue_key") == "on",
        **values | {"model": values["model"] or None},
    )


def _form_of(source: Instance) -> Form:
    """Returns the form for a copy."""
    values = {
        _SOURCE: source.slug,
        "name": f"{source.name[: MAX_NAME_CHARACTERS - len(_COPY)]}{_COPY}",
        "provider": source.provider,
        "identity": source.sections.get(SectionKey.IDENTITY, ""),
        "model": source.model,
        "base_url": source.base_url or "",
        "temperature": "" if source.temperature is None else f"{source.temperature:g}",
        "issue_key": "on" if source.auth_enabled else "",
    }
    return Form(values.items())


def _secrets(form: Form, provider: ProviderInfo | None) -> dict[str, str]:
    """Returns the provider's key, if the form has one; a key for a provider that needs none is an error."""
    given = form.text(_KEY_FIELD)
    if not given or provider is None:
        return {}
    if provider.secret is None:
        form.errors[_KEY_FIELD] = "This provider needs no key. Choose the provider that the key is for"
        return {}
    name: SecretName = provider.secret
    form.parse(_KEY_FIELD, lambda text: parse_secret_value(name, text))
    return {name: given}


def _page(
    request: PanelRequest,
    form: Form,
    providers: Mapping[str, ProviderInfo],
    provider_keys: ProviderKeys,
    *,
    done: str = "",
) -> Response[Any]:
    choices = [
        {
            "name": info.name,
            "description": _DESCRIPTIONS.get(info.name, info.name),
            "model": info.default_model,
            "needs_key": info.secret is not None,
            "server_has_key": provider_keys.server_has_key(info),
        }
        for info in providers.values()
    ]
    values = form.shown(_FIELDS)
    return page(
        request,
        "create.html",
        status=400 if form.errors else 200,
        done_code=done,
        values=values,
        errors=form.errors,
        labels=_LABELS,
        providers=choices,
        source=form.text(_SOURCE),
    )
