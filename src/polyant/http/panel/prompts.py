"""/instances/{slug}/prompts: the eight sections of the system prompt, and a preview of what is typed."""

import re
from collections.abc import Mapping
from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.errors import InvalidInputError, PolyantError
from polyant.domain.instances import Instance
from polyant.domain.prompts import MAX_SECTION_CHARACTERS, SECTION_TITLES, SectionKey, check_section, frequent_change
from polyant.domain.use_cases.preview_prompt import PreviewPrompt
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_prompts import UpdatePrompts
from polyant.http.panel.forms import Form, FormConflictError, read_form, save_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.pages import PanelRequest, see_other
from polyant.http.panel.shown_forms import form_context

_PURPOSES: Mapping[SectionKey, str] = {
    SectionKey.IDENTITY: "Who it is: name, role, whom it works for.",
    SectionKey.SOUL: "Character and tone: how it speaks, how long answers are, which language.",
    SectionKey.TOOLING: "When and how to use tools. {{toolCatalog}} lists the enabled tools.",
    SectionKey.SAFETY: "Requests that it refuses, and facts that it never reveals.",
    SectionKey.SKILLS: "How to use skills. {{skillsList}} lists them here instead of at the end.",
    SectionKey.MEMORY: "Facts it should always know: opening hours, prices, names.",
    SectionKey.USER_IDENTITY: "Who it talks with, if all callers are alike.",
    SectionKey.DATETIME: "The present date and time: {{date}}, {{datetime}} and {{timezone}} are filled in.",
}
"""The purpose of each section, with its variables."""

_VARIABLE = re.compile(r"(\{\{\w+\}\})")
"""Splits a purpose into words and variables, by turns."""

LABELS = {str(key): f"{number} · {SECTION_TITLES[key]}" for number, key in enumerate(SectionKey, 1)}
_CHARACTERS_PER_TOKEN = 4


class PromptsPageController(Controller):
    """The prompts of one instance."""

    path = "/instances/{slug:str}/prompts"
    include_in_schema = False

    @get()
    async def show(
        self, *, request: PanelRequest, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[Any]:
        """Returns the page."""
        return _page(request, await instance_in(slug, show_instance))

    @post()
    async def save(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        update_prompts: NamedDependency[UpdatePrompts],
    ) -> Response[Any]:
        """Saves the sections, unless somebody else has saved others meanwhile."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        if form.is_draft:
            return _page(request, instance, form)
        sections = _sections(form)
        if form.errors:
            return _page(request, instance, form)

        async def save(stored: Instance) -> Instance:
            changed = {key: text for key, text in sections.items() if text != stored.sections.get(key, "")}
            return await update_prompts(stored.slug, changed, by=request.auth.actor, expected_versions=[stored.version])

        try:
            await save_form(form, read=lambda: instance_in(slug, show_instance), values_of=values_of, save=save)
        except FormConflictError as conflict:
            return _page(request, instance, form, conflict=conflict)
        return see_other(f"{instance_path(instance.slug, 'prompts')}?done=prompts")

    @post("/preview", status_code=200)
    async def preview(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        preview_prompt: NamedDependency[PreviewPrompt],
    ) -> Response[Any]:
        """Returns the page with what is typed, unsaved, and the prompt that it would make."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        sections = _sections(form)
        if form.errors:
            return _page(request, instance, form)
        try:
            prompt, problem = await preview_prompt(instance.slug, sections=sections), ""
        except PolyantError as error:  # a tool server that doesn't answer is no reason to lose what was typed
            prompt, problem = "", error.explanation
        return _page(request, instance, form, prompt=prompt, problem=problem)


def values_of(instance: Instance) -> dict[str, str]:
    """Returns the texts of the sections, by field."""
    return {str(key): instance.sections.get(key, "") for key in SectionKey}


def _sections(form: Form) -> dict[SectionKey, str]:
    """Returns the sections of the form; its errors are recorded in the form."""
    sections = {key: form.raw(key) for key in SectionKey if key in form}
    for key, text in sections.items():
        try:
            check_section(key, text)
        except InvalidInputError as error:
            form.errors[key] = error.message
    return sections


def _page(
    request: PanelRequest,
    instance: Instance,
    form: Form | None = None,
    *,
    conflict: FormConflictError | None = None,
    prompt: str | None = None,
    problem: str = "",
) -> Response[Any]:
    stored = values_of(instance)
    values = stored if form is None else {key: form.raw(key, stored[key]) for key in stored}
    return instance_page(
        request,
        "prompts.html",
        instance,
        **form_context(form, stored, values, LABELS, conflict=conflict),
        purposes={key: _VARIABLE.split(text) for key, text in _PURPOSES.items()},
        maximum=MAX_SECTION_CHARACTERS,
        notice=frequent_change({key: values[key] for key in SectionKey}),
        prompt=prompt,
        problem=problem,
        tokens=0 if prompt is None else len(prompt) // _CHARACTERS_PER_TOKEN,
    )
