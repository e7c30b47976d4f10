"""/instances/{slug}/prompts: the eight sections of the system prompt, and a preview of what is typed."""

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
from polyant.http.panel.forms import Form, FormConflictError, read_form, save_form, seen_by
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.pages import PanelRequest, see_other

_PURPOSES: Mapping[SectionKey, tuple[str, str]] = {
    SectionKey.IDENTITY: ("Who it is: name, role, whom it works for.", ""),
    SectionKey.SOUL: ("Character and tone: how it speaks, how long answers are, which language.", ""),
    SectionKey.TOOLING: ("When and how to use tools.", "{{toolCatalog}} lists the enabled tools."),
    SectionKey.SAFETY: ("What it refuses, and what it never reveals.", ""),
    SectionKey.SKILLS: ("What to do with skills, which are listed at the end.", "{{skillsList}} lists them here."),
    SectionKey.MEMORY: ("Facts it should always know: opening hours, prices, names.", ""),
    SectionKey.USER_IDENTITY: ("Who it talks with, if all callers are alike.", ""),
    SectionKey.DATETIME: ("What it knows about now.", "{{date}}, {{datetime}} and {{timezone}} are filled in."),
}
"""The purpose of each section, and its variables."""

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
            return _page(request, instance, form, status=400)

        async def save(stored: Instance) -> Instance:
            changed = {key: text for key, text in sections.items() if text != stored.sections.get(key, "")}
            return await update_prompts(stored.slug, changed, by=request.auth.actor, expected_versions=[stored.version])

        try:
            await save_form(form, read=lambda: instance_in(slug, show_instance), values_of=values_of, save=save)
        except FormConflictError as conflict:
            return _page(request, instance, form, status=409, conflict=conflict)
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
            return _page(request, instance, form, status=400)
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
    status: int = 200,
    conflict: FormConflictError | None = None,
    prompt: str | None = None,
    problem: str = "",
) -> Response[Any]:
    stored = values_of(instance)
    values = stored if form is None else {key: form.raw(key, stored[key]) for key in stored}
    theirs = None
    if conflict is not None:
        theirs = {LABELS[key]: text for key, text in conflict.stored.items() if text != values[key]}
    return instance_page(
        request,
        "prompts.html",
        instance,
        status=status,
        done_code="" if form is None else form.draft_code,
        values=values,
        errors={} if form is None else form.errors,
        labels=LABELS,
        purposes=_PURPOSES,
        maximum=MAX_SECTION_CHARACTERS,
        notice=frequent_change({key: values[key] for key in SectionKey}),
        seen=seen_by(form, stored, conflict=conflict),
        theirs=theirs,
        prompt=prompt,
        problem=problem,
        tokens=0 if prompt is None else len(prompt) // _CHARACTERS_PER_TOKEN,
    )
