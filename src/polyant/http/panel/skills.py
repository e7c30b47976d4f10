"""/instances/{slug}/skills: the skills of an instance, and the form of one."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.errors import InvalidInputError
from polyant.domain.skills import MAX_SKILL_FILE_BYTES, parse_skill_description, parse_skill_name
from polyant.domain.use_cases.delete_skill import DeleteSkill
from polyant.domain.use_cases.set_skill import SkillChange, SkillExistsError
from polyant.http.panel.forms import Form, FormConflictError, read_form
from polyant.http.panel.instance_frame import instance_path
from polyant.http.panel.pages import PanelRequest, see_other
from polyant.http.panel.skill_pages import DESCRIPTION, INSTRUCTIONS, NAME, SkillPages, skill_path, values_of


class SkillsPageController(Controller):
    """The skills of one instance."""

    path = "/instances/{slug:str}/skills"
    include_in_schema = False

    @get()
    async def show_all(
        self, *, request: PanelRequest, slug: FromPath[str], skill_pages: NamedDependency[SkillPages]
    ) -> Response[Any]:
        """Returns the list, and the form that adds a skill."""
        return skill_pages.list_page(request, await skill_pages.instance(slug))

    @post()
    async def add(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        skill_pages: NamedDependency[SkillPages],
    ) -> Response[Any]:
        """Adds a skill."""
        instance = await skill_pages.instance(slug)
        form = await read_form(request)
        change = None if form.is_draft else _change_in(form, adds=True)
        if change is None:
            return skill_pages.list_page(request, instance, form)
        try:
            await skill_pages.change(instance, change, by=request.auth.actor)
        except (SkillExistsError, InvalidInputError) as error:
            _record(form, error, change.name)
            return skill_pages.list_page(request, instance, form)
        return see_other(f"{instance_path(instance.slug, 'skills')}?done=skill")

    @get("/{name:str}")
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        skill_pages: NamedDependency[SkillPages],
    ) -> Response[Any]:
        """Returns the form of a skill, and the list of its other files."""
        return skill_pages.page(request, await skill_pages.one(slug, name))

    @post("/{name:str}")
    async def save(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        skill_pages: NamedDependency[SkillPages],
    ) -> Response[Any]:
        """Saves a skill, unless somebody else has changed it meanwhile; its other files stay."""
        shown = await skill_pages.one(slug, name)
        form = await read_form(request)
        change = None if form.is_draft else _change_in(form, replaces=name)
        if change is None:
            return skill_pages.page(request, shown, form)

        try:
            await skill_pages.save(shown, form, change, by=request.auth.actor, values_of=values_of)
        except FormConflictError as conflict:
            return skill_pages.page(request, await skill_pages.one(slug, name), form, conflict=conflict)
        except (SkillExistsError, InvalidInputError) as error:
            _record(form, error, change.name)
            return skill_pages.page(request, shown, form)
        return see_other(f"{skill_path(shown.instance, change.name)}?done=skill")

    @get("/{name:str}/remove")
    async def confirm(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        skill_pages: NamedDependency[SkillPages],
    ) -> Response[Any]:
        """Asks whether to remove a skill."""
        shown = await skill_pages.one(slug, name)
        return skill_pages.removal_page(request, shown.instance, shown.skill)

    @post("/{name:str}/remove")
    async def remove(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        skill_pages: NamedDependency[SkillPages],
        delete_skill: NamedDependency[DeleteSkill],
    ) -> Response[Any]:
        """Removes a skill; one that is gone already is no error."""
        instance = await skill_pages.instance(slug)
        form = await read_form(request)
        found = next((skill for skill in instance.skills if skill.name == name), None)
        if form.is_draft and found is not None:
            return skill_pages.removal_page(request, instance, found, done_code=form.draft_code)
        if found is not None:
            await delete_skill(instance.slug, name, by=request.auth.actor)
        return see_other(f"{instance_path(instance.slug, 'skills')}?done=skill-removed")


def _change_in(form: Form, *, replaces: str | None = None, adds: bool = False) -> SkillChange | None:
    """Returns the change that the form describes, or None after recording its errors."""
    name, description = form.parse(NAME, parse_skill_name), form.parse(DESCRIPTION, parse_skill_description)
    instructions = form.raw(INSTRUCTIONS)
    if not instructions.strip():
        form.errors[INSTRUCTIONS] = "Write what the assistant does in this case"
    elif len(instructions.encode("utf-8", "replace")) > MAX_SKILL_FILE_BYTES:
        form.errors[INSTRUCTIONS] = f"Instructions have at most {MAX_SKILL_FILE_BYTES:,} bytes"
    if form.errors or name is None:
        return None
    return SkillChange(name=name, description=description, instructions=instructions, replaces=replaces, adds=adds)


def _record(form: Form, error: Exception, name: str) -> None:
    if isinstance(error, SkillExistsError):
        form.errors[NAME] = f"There is a skill called {name} already. Choose another name."
    else:
        form.errors[""] = str(error)
