"""/instances/{slug}/skills/{name}/files: add, edit and remove another file of a skill."""

from typing import Any
from urllib.parse import quote

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.errors import InvalidInputError, NotFoundError
from polyant.domain.instances import Instance
from polyant.domain.skills import MAX_SKILL_FILE_BYTES, MAX_SKILL_PATH_CHARACTERS, SkillFile, parse_skill_path
from polyant.domain.use_cases.set_skill import SetSkill, SkillChange
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.show_skill import ShownSkill, ShowSkill
from polyant.http.panel.forms import Form, FormConflictError, digest_of, read_form, save_form
from polyant.http.panel.instance_frame import instance_page
from polyant.http.panel.pages import PanelRequest, see_other
from polyant.http.panel.skills import skill_in, skill_path

_PATH, _CONTENT = "file_path", "file_content"
_LABELS = {_PATH: "Path", _CONTENT: "Content"}


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
        show_instance: NamedDependency[ShowInstance],
        show_skill: NamedDependency[ShowSkill],
    ) -> Response[Any]:
        """Returns the form of a file."""
        shown = await skill_in(slug, name, show_instance, show_skill)
        path = request.query_params.get("path", "")
        if path and _find(shown, path) is None:
            raise NotFoundError(f"The skill {shown.skill.name} has no file {path}")
        return _page(request, shown, path)

    @post()
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
        """Stores a file, unless somebody else has changed it meanwhile."""
        shown = await skill_in(slug, name, show_instance, show_skill)
        form = await read_form(request)
        path = form.parse(_PATH, parse_skill_path)
        if form.is_draft or path is None or not _is_valid(form):
            return _page(request, shown, form.text(_PATH), form)
        file = SkillFile(path=path, content=form.raw(_CONTENT))

        async def put(stored: ShownSkill) -> Instance:
            change, versions = SkillChange(name=name, set_files=(file,)), [stored.instance.version]
            return await set_skill(stored.instance.slug, change, by=request.auth.actor, expected_versions=versions)

        async def read() -> ShownSkill:
            return await skill_in(slug, name, show_instance, show_skill)

        try:
            await save_form(form, read=read, values_of=lambda stored: _values_of(stored, path), save=put)
        except FormConflictError as conflict:
            return _page(request, await read(), path, form, conflict=conflict)
        except InvalidInputError as error:
            form.errors[""] = error.message
            return _page(request, shown, path, form)
        return see_other(f"{skill_path(shown.instance, name)}?done=skill-file")

    @get("/remove")
    async def confirm(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        show_skill: NamedDependency[ShowSkill],
    ) -> Response[Any]:
        """Asks whether to remove a file."""
        shown = await skill_in(slug, name, show_instance, show_skill)
        path = request.query_params.get("path", "")
        if _find(shown, path) is None:
            return see_other(skill_path(shown.instance, shown.skill.name))
        return _removal_page(request, shown, path)

    @post("/remove")
    async def remove(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        name: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        show_skill: NamedDependency[ShowSkill],
        set_skill: NamedDependency[SetSkill],
    ) -> Response[Any]:
        """Removes a file; one that is gone already is no error."""
        shown = await skill_in(slug, name, show_instance, show_skill)
        form = await read_form(request)
        path = form.text(_PATH)
        if _find(shown, path) is None:
            return see_other(skill_path(shown.instance, shown.skill.name))
        if form.is_draft:
            return _removal_page(request, shown, path, done_code=form.draft_code)
        await set_skill(shown.instance.slug, SkillChange(name=name, delete_files=(path,)), by=request.auth.actor)
        return see_other(f"{skill_path(shown.instance, name)}?done=skill-file-removed")


def _find(shown: ShownSkill, path: str) -> SkillFile | None:
    return next((file for file in shown.content.files if file.path == path), None)


def _values_of(shown: ShownSkill, path: str) -> dict[str, str]:
    found = _find(shown, path)
    return {_CONTENT: "" if found is None else found.content}


def _is_valid(form: Form) -> bool:
    if len(form.raw(_CONTENT).encode("utf-8", "replace")) > MAX_SKILL_FILE_BYTES:
        form.errors[_CONTENT] = f"A file has at most {MAX_SKILL_FILE_BYTES:,} bytes"
    return not form.errors


def _removal_page(request: PanelRequest, shown: ShownSkill, path: str, *, done_code: str = "") -> Response[Any]:
    return instance_page(
        request,
        "skill_file_remove.html",
        shown.instance,
        skill=shown.skill,
        path=path,
        path_name=_PATH,
        done_code=done_code,
    )


def _page(
    request: PanelRequest,
    shown: ShownSkill,
    path: str,
    form: Form | None = None,
    *,
    conflict: FormConflictError | None = None,
) -> Response[Any]:
    stored = _values_of(shown, path)
    values = {_PATH: path, **stored} if form is None else form.shown(_LABELS)
    errors = {} if form is None else form.errors
    is_fresh = form is None or conflict is not None or form.is_draft
    return instance_page(
        request,
        "skill_file.html",
        shown.instance,
        status=409 if conflict is not None else 400 if errors else 200,
        done_code="" if form is None else form.draft_code,
        skill=shown.skill,
        file=_find(shown, path),
        query=quote(path, safe=""),
        values=values,
        errors=errors,
        labels=_LABELS,
        seen=digest_of(stored) if is_fresh or form is None else form.text("seen"),
        theirs=None if conflict is None else {_LABELS[_CONTENT]: conflict.stored[_CONTENT]},
        max_path=MAX_SKILL_PATH_CHARACTERS,
    )
