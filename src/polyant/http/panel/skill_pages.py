"""The content of the pages of skills and their files."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from litestar import Response

from polyant.domain.audit import Actor
from polyant.domain.instances import Instance
from polyant.domain.skills import (
    MAX_SKILL_DESCRIPTION_CHARACTERS,
    MAX_SKILL_PATH_CHARACTERS,
    Skill,
    SkillFile,
)
from polyant.domain.use_cases.set_skill import SetSkill, SkillChange
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.show_skill import ShownSkill, ShowSkill
from polyant.http.panel.forms import Form, FormConflictError, save_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path, panel_slug
from polyant.http.panel.pages import PanelRequest
from polyant.http.panel.shown_forms import form_context

NAME, DESCRIPTION, INSTRUCTIONS = "skill_name", "skill_description", "instructions"
PATH, CONTENT = "file_path", "file_content"
_LABELS = {NAME: "Name", DESCRIPTION: "When to use it", INSTRUCTIONS: "Instructions"}
_FILE_LABELS = {PATH: "Path", CONTENT: "Content"}


class SkillPages:
    """Finds, saves and renders the skills of an instance and their files.

    Args:
        show_instance: Finds the instance.
        show_skill: Finds the skill.
        set_skill: Stores the skill.
    """

    def __init__(self, *, show_instance: ShowInstance, show_skill: ShowSkill, set_skill: SetSkill) -> None:
        self._show_instance = show_instance
        self._show_skill = show_skill
        self._set_skill = set_skill

    async def instance(self, slug: str) -> Instance:
        """Returns the instance in a path."""
        return await instance_in(slug, self._show_instance)

    async def one(self, slug: str, name: str) -> ShownSkill:
        """Returns the skill that a path names.

        Raises:
            NoSuchInstanceError: There is no such instance.
            UnknownSkillError: It has no such skill.
        """
        await self.instance(slug)
        return await self._show_skill(panel_slug(slug), name)

    async def save(
        self,
        shown: ShownSkill,
        form: Form,
        change: SkillChange,
        *,
        by: Actor,
        values_of: Callable[[ShownSkill], Mapping[str, str]],
    ) -> None:
        """Stores a change, unless somebody else has changed the values that the form showed.

        Raises:
            FormConflictError: Somebody else changed one of the values.
            InvalidInputError: The skill is invalid, or there are too many.
            SkillExistsError: Another skill has the name.
        """
        slug, name = shown.instance.slug, shown.skill.name

        async def put(stored: ShownSkill) -> Instance:
            return await self._set_skill(slug, change, by=by, expected_versions=[stored.instance.version])

        await save_form(form, read=lambda: self.one(slug, name), values_of=values_of, save=put)

    async def change(self, instance: Instance, change: SkillChange, *, by: Actor) -> None:
        """Stores a change whatever else has changed meanwhile.

        Raises:
            InvalidInputError: The skill is invalid, or there are too many.
            SkillExistsError: Another skill has the name.
        """
        await self._set_skill(instance.slug, change, by=by)

    def list_page(self, request: PanelRequest, instance: Instance, form: Form | None = None) -> Response[Any]:
        """Returns the list, and the form that adds a skill."""
        return instance_page(
            request,
            "skills.html",
            instance,
            status=400 if form is not None and form.errors else 200,
            done_code="" if form is None else form.draft_code,
            values={} if form is None else form.shown(_LABELS),
            is_kept=form is not None,
            errors={} if form is None else form.errors,
            labels=_LABELS,
            max_description=MAX_SKILL_DESCRIPTION_CHARACTERS,
        )

    def page(
        self,
        request: PanelRequest,
        shown: ShownSkill,
        form: Form | None = None,
        *,
        conflict: FormConflictError | None = None,
    ) -> Response[Any]:
        """Returns the form of a skill, and the list of its other files."""
        stored = values_of(shown)
        values = stored if form is None else {name: form.raw(name, stored[name]) for name in stored}
        return instance_page(
            request,
            "skill.html",
            shown.instance,
            **form_context(form, stored, values, _LABELS, conflict=conflict),
            skill=shown.skill,
            content=[
                {"path": file.path, "size": file.size, "is_script": file.is_script} for file in shown.content.files
            ],
            max_description=MAX_SKILL_DESCRIPTION_CHARACTERS,
        )

    def file_page(
        self,
        request: PanelRequest,
        shown: ShownSkill,
        path: str,
        form: Form | None = None,
        *,
        conflict: FormConflictError | None = None,
    ) -> Response[Any]:
        """Returns the form of another file of a skill."""
        stored = file_values_of(shown, path)
        values = {PATH: path, **stored} if form is None else form.shown(_FILE_LABELS)
        return instance_page(
            request,
            "skill_file.html",
            shown.instance,
            **form_context(form, stored, values, _FILE_LABELS, conflict=conflict),
            skill=shown.skill,
            file=find_file(shown, path),
            query=quote(path, safe=""),
            max_path=MAX_SKILL_PATH_CHARACTERS,
        )

    def removal_page(
        self, request: PanelRequest, instance: Instance, skill: Skill, *, done_code: str = ""
    ) -> Response[Any]:
        """Returns the page that asks whether to remove a skill."""
        return instance_page(request, "skill_remove.html", instance, skill=skill, done_code=done_code)

    def file_removal_page(
        self, request: PanelRequest, shown: ShownSkill, path: str, *, done_code: str = ""
    ) -> Response[Any]:
        """Returns the page that asks whether to remove a file."""
        return instance_page(
            request,
            "skill_file_remove.html",
            shown.instance,
            skill=shown.skill,
            path=path,
            path_name=PATH,
            done_code=done_code,
        )


def skill_path(instance: Instance, name: str) -> str:
    """Returns the path of a skill's page."""
    return f"{instance_path(instance.slug, 'skills')}/{name}"


def values_of(shown: ShownSkill) -> dict[str, str]:
    """Returns the values of the form of a skill."""
    content = shown.content
    return {NAME: content.name, DESCRIPTION: content.description, INSTRUCTIONS: content.instructions}


def file_values_of(shown: ShownSkill, path: str) -> dict[str, str]:
    """Returns the value of the form of a file, which is empty for a file to add."""
    found = find_file(shown, path)
    return {CONTENT: "" if found is None else found.content}


def find_file(shown: ShownSkill, path: str) -> SkillFile | None:
    """Returns the file with a path, or None."""
    return next((file for file in shown.content.files if file.path == path), None)
