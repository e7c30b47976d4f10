"""/instances/{slug}/skills/{name}/files: add, edit and remove another file of a skill."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.errors import InvalidInputError, NotFoundError
from polyant.domain.skills import MAX_SKILL_FILE_BYTES, SkillFile, parse_skill_path
from polyant.domain.use_cases.set_skill import SkillChange
from polyant.http.panel.forms import Form, FormConflictError, read_form
from polyant.http.panel.pages import PanelRequest, see_other
from polyant.http.panel.skill_pages import CONTENT, PATH, SkillPages, file_values_of, find_file, skill_path


class SkillFilesPageController(Controller):
    """The other files of one skill; `?path=` names one of them, and without it a file is added."""

    path = "/instances/{slug:str}/skills/{name:str}/files"
    include_in_schema = False

    @get()
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        skill_pages: NamedDependency[SkillPages],
    ) -> Response[Any]:
        """Returns the form of a file."""
        shown = await skill_pages.one(slug, name)
        path = request.query_params.get("path", "")
        if path and find_file(shown, path) is None:
            raise NotFoundError(f"The skill {shown.skill.name} has no file {path}")
        return skill_pages.file_page(request, shown, path)

    @post()
    async def save(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        skill_pages: NamedDependency[SkillPages],
    ) -> Response[Any]:
        """Stores a file, unless somebody else has changed it meanwhile."""
        shown = await skill_pages.one(slug, name)
        form = await read_form(request)
        path = form.parse(PATH, parse_skill_path)
        if form.is_draft or path is None or not _is_valid(form):
            return skill_pages.file_page(request, shown, form.text(PATH), form)
        change = SkillChange(name=name, set_files=(SkillFile(path=path, content=form.raw(CONTENT)),))
        try:
            await skill_pages.save(
                shown, form, change, by=request.auth.actor, values_of=lambda stored: file_values_of(stored, path)
            )
        except FormConflictError as conflict:
            return skill_pages.file_page(request, await skill_pages.one(slug, name), path, form, conflict=conflict)
        except InvalidInputError as error:
            form.errors[""] = error.message
            return skill_pages.file_page(request, shown, path, form)
        return see_other(f"{skill_path(shown.instance, name)}?done=skill-file")

    @get("/remove")
    async def confirm(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        skill_pages: NamedDependency[SkillPages],
    ) -> Response[Any]:
        """Asks whether to remove a file."""
        shown = await skill_pages.one(slug, name)
        path = request.query_params.get("path", "")
        if find_file(shown, path) is None:
            return see_other(skill_path(shown.instance, shown.skill.name))
        return skill_pages.file_removal_page(request, shown, path)

    @post("/remove")
    async def remove(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        skill_pages: NamedDependency[SkillPages],
    ) -> Response[Any]:
        """Removes a file; one that is gone already is no error."""
        shown = await skill_pages.one(slug, name)
        form = await read_form(request)
        path = form.text(PATH)
        if find_file(shown, path) is None:
            return see_other(skill_path(shown.instance, shown.skill.name))
        if form.is_draft:
            return skill_pages.file_removal_page(request, shown, path, done_code=form.draft_code)
        change = SkillChange(name=name, delete_files=(path,))
        await skill_pages.change(shown.instance, change, by=request.auth.actor)
        return see_other(f"{skill_path(shown.instance, name)}?done=skill-file-removed")


def _is_valid(form: Form) -> bool:
    if len(form.raw(CONTENT).encode("utf-8", "replace")) > MAX_SKILL_FILE_BYTES:
        form.errors[CONTENT] = f"A file has at most {MAX_SKILL_FILE_BYTES:,} bytes"
    return not form.errors
