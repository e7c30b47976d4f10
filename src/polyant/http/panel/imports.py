"""/import: an instance from an exported file, or from its text."""

from typing import Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency

from polyant.domain.errors import InstanceExistsError, InvalidInputError
from polyant.domain.instances import parse_slug
from polyant.domain.use_cases.import_instance import ImportInstance
from polyant.http.bodies import decode
from polyant.http.management.transfer import InstanceDocument, channels_in, content_in, skills_in
from polyant.http.panel.forms import Form, read_form
from polyant.http.panel.instance_frame import instance_path
from polyant.http.panel.pages import PanelRequest, page, see_other

_FILE, _DOCUMENT, _SLUG, _REPLACE = "file", "document", "slug", "replace"
_LABELS = {_FILE: "File", _DOCUMENT: "Text", _SLUG: "Slug", _REPLACE: "Replace"}

_decoder = msgspec.json.Decoder(InstanceDocument)


class ImportPageController(Controller):
    """The page that imports an instance."""

    path = "/import"
    include_in_schema = False

    @get(sync_to_thread=False)
    def show(self, request: PanelRequest) -> Response[Any]:
        """Returns the empty form."""
        return _page(request, Form())

    @post()
    async def import_file(
        self, *, request: PanelRequest, import_instance: NamedDependency[ImportInstance]
    ) -> Response[Any]:
        """Imports the instance, and shows its settings with the secrets to enter."""
        form = await read_form(request)
        document = None if form.is_draft else _document_in(form)
        slug = form.parse(_SLUG, lambda text: parse_slug(text or document.slug)) if document is not None else None
        if document is None or slug is None:
            return _page(request, form)
        try:
            instance = await import_instance(
                slug,
                content_in(document),
                by=request.auth.actor,
                skills=skills_in(document),
                channels=channels_in(document),
                unrestricted=request.auth.unrestricted,
                overwrite=form.text(_REPLACE) == "on",
            )
        except InstanceExistsError:
            form.errors[_SLUG] = f"There is an instance called {slug} already. Choose another slug, or replace it."
            return _page(request, form)
        except InvalidInputError as error:
            form.errors[_DOCUMENT] = error.message
            return _page(request, form)
        return see_other(f"{instance_path(instance.slug, 'settings')}?done=imported#secrets")


def _text_in(form: Form) -> str:
    """Returns the document as text; a chosen file takes precedence."""
    return form.raw(_FILE) or form.raw(_DOCUMENT)


def _document_in(form: Form) -> InstanceDocument | None:
    """Returns the document, or None after recording an error."""
    text = _text_in(form)
    if not text.strip():
        form.errors[_FILE] = "Choose a file, or paste its text below"
        return None
    try:
        return decode(text.encode(), _decoder)
    except InvalidInputError as error:
        form.errors[_DOCUMENT] = f"This isn’t an exported instance: {error.message}"
        return None


def _page(request: PanelRequest, form: Form) -> Response[Any]:
    values = {_DOCUMENT: _text_in(form), _SLUG: form.raw(_SLUG), _REPLACE: form.text(_REPLACE)}
    return page(
        request,
        "import.html",
        status=400 if form.errors else 200,
        done_code=form.draft_code,
        values=values,
        errors=form.errors,
        labels=_LABELS,
    )
