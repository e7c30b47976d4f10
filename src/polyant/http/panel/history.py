"""/instances/{slug}/history: the earlier prompts and settings, what a restore would change, and the restore."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.catalog import Catalog
from polyant.domain.errors import InvalidInputError
from polyant.domain.instance_states import InstanceState, UnknownStateError, with_content
from polyant.domain.instances import Instance
from polyant.domain.prompts import SECTION_TITLES
from polyant.domain.provider_keys import moved_key
from polyant.domain.skills import Skill
from polyant.domain.use_cases.delete_state import DeleteState
from polyant.domain.use_cases.list_states import ListStates
from polyant.domain.use_cases.restore_state import RestoreState
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.show_state import ShowState
from polyant.http.management.history import state_number_in
from polyant.http.panel import prompts, settings
from polyant.http.panel.forms import SEEN, Form, FormConflictError, digest_of, read_form, save_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.pages import PanelRequest, see_other
from polyant.http.panel.paging import paging_of
from polyant.http.panel.word_diff import Piece, clipped, word_diff

_OPTIONS, _SKILLS = "options", "skills"
_DIGEST_CHARACTERS = 8
_MAX_SHOWN_CHARACTERS = 60_000
"""The size of the differences on one page; longer ones are cut."""
_LABELS = {**settings.LABELS, _OPTIONS: "Options", **{str(key): title for key, title in SECTION_TITLES.items()}}
_LABELS[_SKILLS] = "List of skills"


class HistoryPageController(Controller):
    """The history of one instance."""

    path = "/instances/{slug:str}/history"
    include_in_schema = False

    @get()
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        list_states: NamedDependency[ListStates],
    ) -> Response[Any]:
        """Returns the list of states."""
        instance = await instance_in(slug, show_instance)
        states = await list_states.of(instance)
        paging = paging_of(request, instance_path(instance.slug, "history"))
        shown = states[paging.offset : paging.offset + paging.rows]
        rows = [{"state": state, "changed": names_of(state.changed)} for state in shown]
        return instance_page(request, "history.html", instance, rows=rows, **paging.context(len(rows), len(states)))

    @get("/{number:str}")
    async def show_one(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        number: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        show_state: NamedDependency[ShowState],
    ) -> Response[Any]:
        """Returns one state, as its differences from the present one."""
        instance = await instance_in(slug, show_instance)
        state = await show_state(instance.slug, state_number_in(number))
        before, after = values_of(instance), values_of(with_content(instance, state.content))
        differences = await asyncio.to_thread(_differences, before, after)  # long texts take a while
        return instance_page(
            request,
            "state.html",
            instance,
            state=state,
            changed=names_of(state.changed),
            differences=differences,
        )

    @get("/{number:str}/restore")
    async def confirm_restore(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        number: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        show_state: NamedDependency[ShowState],
        catalog: NamedDependency[Catalog],
    ) -> Response[Any]:
        """Asks whether to restore a state."""
        instance = await instance_in(slug, show_instance)
        state = await show_state(instance.slug, state_number_in(number))
        return _restore_page(request, instance, state, catalog)

    @post("/{number:str}/restore")
    async def restore(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        number: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        show_state: NamedDependency[ShowState],
        restore_state: NamedDependency[RestoreState],
        catalog: NamedDependency[Catalog],
    ) -> Response[Any]:
        """Saves a state again, unless somebody else has changed prompts or settings meanwhile."""
        instance = await instance_in(slug, show_instance)
        state = await show_state(instance.slug, state_number_in(number))
        form = await read_form(request)
        if form.is_draft:
            return _restore_page(request, instance, state, catalog, done_code=form.draft_code)

        async def save(stored: Instance) -> Instance:
            return await restore_state(
                stored.slug,
                state.number,
                by=request.auth.actor,
                unrestricted=request.auth.unrestricted,
                expected_versions=[stored.version],
            )

        try:
            saved = await save_form(form, read=lambda: instance_in(slug, show_instance), values_of=values_of, save=save)
        except FormConflictError:
            instance = await instance_in(slug, show_instance)
            form.errors[""] = "Somebody else saved prompts or settings meanwhile. What a restore changes now is below"
            return _restore_page(request, instance, state, catalog, form=form, status=409)
        except InvalidInputError as error:
            form.errors[""] = error.explanation
            return _restore_page(request, instance, state, catalog, form=form, status=400)
        return see_other(settings.page_after(saved, catalog, tab="history", done="restored"))

    @get("/{number:str}/delete")
    async def confirm_deletion(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        number: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        show_state: NamedDependency[ShowState],
    ) -> Response[Any]:
        """Asks whether to delete a state."""
        instance = await instance_in(slug, show_instance)
        state = await show_state(instance.slug, state_number_in(number))
        return instance_page(request, "state_delete.html", instance, number=state.number)

    @post("/{number:str}/delete")
    async def remove(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        number: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        delete_state: NamedDependency[DeleteState],
    ) -> Response[Any]:
        """Deletes a state; one that is gone already is no error."""
        instance = await instance_in(slug, show_instance)
        state_number = state_number_in(number)
        form = await read_form(request)
        if form.is_draft:
            return instance_page(request, "state_delete.html", instance, number=state_number, done_code=form.draft_code)
        with contextlib.suppress(UnknownStateError):
            await delete_state(instance.slug, state_number, by=request.auth.actor)
        return see_other(f"{instance_path(instance.slug, 'history')}?done=state-deleted")


def values_of(instance: Instance) -> dict[str, str]:
    """Returns the prompts, settings and skills as text, by field."""
    options = msgspec.json.format(msgspec.json.encode(instance.options, order="sorted"), indent=2).decode()
    return {
        **settings.values_of(instance),
        _OPTIONS: options if instance.options else "",
        **prompts.values_of(instance),
        _SKILLS: "\n".join(map(_line_of, instance.skills)),
    }


def _line_of(skill: Skill) -> str:
    """Returns a line for a skill, which differs if its files do."""
    return f"{skill.name}: {skill.description} ({skill.size:,} bytes, version {skill.digest[:_DIGEST_CHARACTERS]})"


def names_of(changed: Sequence[str]) -> str:
    """Returns the names of what was changed, in words."""
    return ", ".join(_name_of(name) for name in changed)


def _name_of(name: str) -> str:
    kind, _, adapter = name.partition(".")
    if kind == _OPTIONS and adapter:
        return f"Options of {adapter}"
    if kind == _SKILLS and adapter:
        return f"Skill {adapter}"
    return _LABELS.get(name, name)


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, tuple[Piece, ...]]]:
    """Returns the changed fields: the label of each, and its pieces."""
    changed = [name for name in before if before[name] != after[name]]
    maximum = _MAX_SHOWN_CHARACTERS // max(1, len(changed))
    return [(_LABELS[name], clipped(word_diff(before[name], after[name]), maximum)) for name in changed]


def _restore_page(
    request: PanelRequest,
    instance: Instance,
    state: InstanceState,
    catalog: Catalog,
    *,
    form: Form | None = None,
    status: int = 200,
    done_code: str = "",
) -> Response[Any]:
    restored = with_content(instance, state.content)
    before, after = values_of(instance), values_of(restored)
    return instance_page(
        request,
        "state_restore.html",
        instance,
        status=status,
        done_code=done_code,
        number=state.number,
        changes=", ".join(_LABELS[name] for name in before if before[name] != after[name]),
        moved=moved_key(restored, catalog.providers) is not None and moved_key(instance, catalog.providers) is None,
        errors={} if form is None else form.errors,
        seen_name=SEEN,
        seen=digest_of(before),
    )
