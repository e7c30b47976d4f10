"""/instances/{slug}/skills: the skills of an instance, and the form of one."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance
from polyant.domain.skills import (
    MAX_SKILL_DESCRIPTION_CHARACTERS,
    MAX_SKILL_FILE_BYTES,
    SkillContent,
    parse_skill_description,
    parse_skill_name,
)
from polyant.domain.use_cases.delete_skill import DeleteSkill
from polyant.domain.use_cases.set_skill import SetSkill, SkillChange, SkillExistsError
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.show_skill import ShownSkill, ShowSkill
from polyant.http.panel.forms import Form, FormConflictError, digest_of, read_form, save_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path, panel_slug
from polyant.http.panel.pages import PanelRequest, see_other

NAME, DESCRIPTION, INSTRUCTIONS = "skill_name", "skill_description", "instructions"
_LABELS = {NAME: "Name", DESCRIPTION: "When to use it", INSTRUCTIONS: "Instructions"}


class SkillsPageController(Controller):
    """The skills of one instance."""

    path = "/instances/{slug:str}/skills"
    include_in_schema = False

    @get()
    async def show_all(
        self, *, request: PanelRequest, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[Any]:
        """Returns the list, and the form that adds a skill."""
        return _list_page(request, await instance_in(slug, show_instance))

    @post()
    async def add(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        set_skill: NamedDependency[SetSkill],
    ) -> Response[Any]:
        """Adds a skill."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        change = None if form.is_draft else _change_in(form, adds=True)
        if change is None:
            return _list_page(request, instance, form)
        try:
            await set_skill(instance.slug, change, by=request.auth.actor)
        except (SkillExistsError, InvalidInputError) as error:
            _record(form, error, change.name)
            return _list_page(request, instance, form)
        return see_other(f"{instance_path(instance.slug, 'skills')}?done=skill")

    @get("/{name:str}")
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        show_skill: NamedDependency[ShowSkill],
    ) -> Response[Any]:
        """Returns the form of a skill, and the list of its other files."""
        return _page(request, await skill_in(slug, name, show_instance, show_skill))

    @post("/{name:str}")
    async def save(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        show_skill: NamedDependency[ShowSkill],
        set_skill: NamedDependency[SetSkill],
    ) -> Response[Any]:
        """Saves a skill, unless somebody else has changed it meanwhile; its other files stay."""
        shown = await skill_in(slug, name, show_instance, show_skill)
        form = await read_form(request)
        change = None if form.is_draft else _change_in(form, replaces=name)
        if change is None:
            return _page(request, shown, form)

        async def put(stored: ShownSkill) -> Instance:
            versions = [stored.instance.version]
            return await set_skill(stored.instance.slug, change, by=request.auth.actor, expected_versions=versions)

        async def read() -> ShownSkill:
            return await skill_in(slug, name, show_instance, show_skill)

        try:
            await save_form(form, read=read, values_of=_values_of, save=put)
        except FormConflictError as conflict:
            return _page(request, await read(), form, conflict=conflict)
        except (SkillExistsError, InvalidInputError) as error:
            _record(form, error, change.name)
            return _page(request, shown, form)
        return see_other(f"{skill_path(shown.instance, change.name)}?done=skill")

    @get("/{name:str}/remove")
    async def confirm(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        show_skill: NamedDependency[ShowSkill],
    ) -> Response[Any]:
        """Asks whether to remove a skill."""
        shown = await skill_in(slug, name, show_instance, show_skill)
        return instance_page(request, "skill_remove.html", shown.instance, skill=shown.skill)

    @post("/{name:str}/remove")
    async def remove(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        delete_skill: NamedDependency[DeleteSkill],
    ) -> Response[Any]:
        """Removes a skill; one that is gone already is no error."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        found = next((skill for skill in instance.skills if skill.name == name), None)
        if form.is_draft and found is not None:
            return instance_page(request, "skill_remove.html", instance, skill=found, done_code=form.draft_code)
        if found is not None:
            await delete_skill(instance.slug, name, by=request.auth.actor)
        return see_other(f"{instance_path(instance.slug, 'skills')}?done=skill-removed")


async def skill_in(slug: str, name: str, show_instance: ShowInstance, show_skill: ShowSkill) -> ShownSkill:
    """Returns the skill that a path names.

    Raises:
        NoSuchInstanceError: There is no such instance.
        UnknownSkillError: It has no such skill.
    """
    await instance_in(slug, show_instance)
    return await show_skill(panel_slug(slug), name)


def skill_path(instance: Instance, name: str) -> str:
    """Returns the path of a skill's page."""
    return f"{instance_path(instance.slug, 'skills')}/{name}"


def _values_of(shown: ShownSkill) -> dict[str, str]:
    content = shown.content
    return {NAME: content.name, DESCRIPTION: content.description, INSTRUCTIONS: content.instructions}


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


def _list_page(request: PanelRequest, instance: Instance, form: Form | None = None) -> Response[Any]:
    return instance_page(
        request,
        "skills.html",
        instance,
        status=400 if form is not None and form.errors else 200,
        done_code="" if form is None else form.draft_code,
        values={} if form is None else form.shown(_LABELS),
        errors={} if form is None else form.errors,
        labels=_LABELS,
        max_description=MAX_SKILL_DESCRIPTION_CHARACTERS,
    )


def _page(
    request: PanelRequest, shown: ShownSkill, form: Form | None = None, *, conflict: FormConflictError | None = None
) -> Response[Any]:
    stored = _values_of(shown)
    values = stored if form is None else {name: form.raw(name, stored[name]) for name in stored}
    errors = {} if form is None else form.errors
    theirs = None
    if conflict is not None:
        theirs = {_LABELS[name]: text for name, text in conflict.stored.items() if text != values[name]}
    is_fresh = form is None or conflict is not None or form.is_draft
    return instance_page(
        request,
        "skill.html",
        shown.instance,
        status=409 if conflict is not None else 400 if errors else 200,
        done_code="" if form is None else form.draft_code,
        skill=shown.skill,
        content=_content_for_page(shown.content),
        values=values,
        errors=errors,
        labels=_LABELS,
        seen=digest_of(stored) if is_fresh or form is None else form.text("seen"),
        theirs=theirs,
        max_description=MAX_SKILL_DESCRIPTION_CHARACTERS,
    )


def _content_for_page(content: SkillContent) -> list[dict[str, Any]]:
    return [{"path": file.path, "size": file.size, "is_script": file.is_script} for file in content.files]
