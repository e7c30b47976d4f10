"""/users: create, edit and delete users; for superadmins only."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.errors import ConflictError, InvalidInputError
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.create_user import CreateUser
from polyant.domain.use_cases.delete_user import DeleteUser
from polyant.domain.use_cases.list_users import ListUsers
from polyant.domain.use_cases.log_out import LogOut
from polyant.domain.use_cases.show_user import ShowUser
from polyant.domain.use_cases.update_user import UpdateUser, UserPatch
from polyant.domain.users import Role, User, check_password, parse_email
from polyant.http.management.authentication import require_superadmin
from polyant.http.management.wire import user_id_in
from polyant.http.panel.forms import Form, FormConflictError, read_form, save_form
from polyant.http.panel.pages import PanelRequest, page, see_other
from polyant.http.panel.paging import ROWS, paging_of
from polyant.http.panel.shown_forms import form_context

_PASSWORD = "secret.password"  # noqa: S105 - the name of a field
_LABELS = {"email": "Email", "role": "Role", "disabled": "State", _PASSWORD: "Password"}


class UsersPageController(Controller):
    """The users."""

    path = "/users"
    include_in_schema = False
    guards = (require_superadmin,)

    @get()
    async def show(self, *, request: PanelRequest, list_users: NamedDependency[ListUsers]) -> Response[Any]:
        """Returns the page with all users and the form for a new one."""
        return await _users_page(request, list_users, Form())

    @post()
    async def create(
        self,
        *,
        request: PanelRequest,
        list_users: NamedDependency[ListUsers],
        create_user: NamedDependency[CreateUser],
    ) -> Response[Any]:
        """Creates a user."""
        form = await read_form(request)
        if form.is_draft:
            return await _users_page(request, list_users, form)
        email = form.parse("email", parse_email)
        _check_password(form)
        if form.errors or email is None:
            return await _users_page(request, list_users, form)
        try:
            password = SecretText(form.raw(_PASSWORD))
            await create_user(email, password, role=_role_in(form), by=request.auth.actor)
        except ConflictError as error:
            form.errors["email"] = error.message
            return await _users_page(request, list_users, form)
        return see_other("/users?done=user-created")

    @get("/{user_id:str}")
    async def show_one(
        self, *, request: PanelRequest, user_id: FromPath[str], show_user: NamedDependency[ShowUser]
    ) -> Response[Any]:
        """Returns the form that edits a user."""
        return _user_page(request, await show_user(user_id_in(user_id)))

    @post("/{user_id:str}")
    async def save(
        self,
        *,
        request: PanelRequest,
        user_id: FromPath[str],
        show_user: NamedDependency[ShowUser],
        update_user: NamedDependency[UpdateUser],
    ) -> Response[Any]:
        """Saves a user; a password that is left empty stays as it is."""
        user = await show_user(user_id_in(user_id))
        form = await read_form(request)
        if form.is_draft:
            return _user_page(request, user, form)
        form.parse("email", parse_email)
        if form.raw(_PASSWORD):
            _check_password(form)
        if form.errors:
            return _user_page(request, user, form)

        async def save(stored: User) -> User:
            return await update_user(
                stored.id, _patch_of(stored, form), by=request.auth.actor, expected_versions=[stored.version]
            )

        try:
            await save_form(form, read=lambda: show_user(user.id), values_of=values_of, save=save)
        except FormConflictError as conflict:
            return _user_page(request, user, form, conflict=conflict)
        except ConflictError as error:
            form.errors[""] = error.message
            return _user_page(request, user, form)
        return see_other("/users?done=user")

    @post("/{user_id:str}/sessions")
    async def end_sessions(
        self, *, request: PanelRequest, user_id: FromPath[str], log_out: NamedDependency[LogOut]
    ) -> Response[Any]:
        """Ends all sessions of a user."""
        user = user_id_in(user_id)
        if (await read_form(request)).is_draft:
            return see_other(f"/users/{user}")
        await log_out.log_out_all(user, by=request.auth.actor)
        return see_other("/users?done=sessions")

    @get("/{user_id:str}/delete")
    async def confirm(
        self, *, request: PanelRequest, user_id: FromPath[str], show_user: NamedDependency[ShowUser]
    ) -> Response[Any]:
        """Asks whether to delete a user."""
        return _delete_page(request, await show_user(user_id_in(user_id)))

    @post("/{user_id:str}/delete")
    async def remove(
        self,
        *,
        request: PanelRequest,
        user_id: FromPath[str],
        show_user: NamedDependency[ShowUser],
        delete_user: NamedDependency[DeleteUser],
    ) -> Response[Any]:
        """Deletes a user, and ends the user's sessions."""
        user = await show_user(user_id_in(user_id))
        if (await read_form(request)).is_draft:
            return _delete_page(request, user)
        try:
            await delete_user(user.id, by=request.auth.actor)
        except ConflictError as error:
            return _delete_page(request, user, error.message)
        return see_other("/users?done=user-deleted")


def values_of(user: User) -> dict[str, str]:
    """Returns the values of the form that edits a user, as text by field."""
    return {"email": user.email, "role": user.role, "disabled": "on" if user.disabled else ""}


def _check_password(form: Form) -> None:
    """Records an error in the form if its password is too short or too long."""
    try:
        check_password(form.raw(_PASSWORD))
    except InvalidInputError as error:
        form.errors[_PASSWORD] = error.message


def _patch_of(stored: User, form: Form) -> UserPatch:
    """Returns the changes to the stored values."""
    before = values_of(stored)
    typed = form.shown(before)
    changes: dict[str, Any] = {name: typed[name] for name in before if typed[name].strip() != before[name]}
    if "role" in changes:
        changes["role"] = _role_in(form)
    if "disabled" in changes:
        changes["disabled"] = bool(changes["disabled"])
    if form.raw(_PASSWORD):
        changes["password"] = SecretText(form.raw(_PASSWORD))
    return UserPatch(**changes)


def _role_in(form: Form) -> Role:
    return Role.SUPERADMIN if form.text("role") == Role.SUPERADMIN else Role.USER


async def _users_page(request: PanelRequest, list_users: ListUsers, form: Form) -> Response[Any]:
    paging = paging_of(request, "/users")
    found = await list_users(limit=ROWS, offset=paging.offset)
    return page(
        request,
        "users.html",
        status=400 if form.errors else 200,
        done_code=form.draft_code,
        users=found.users,
        values=form.shown(["email", "role"]),
        errors=form.errors,
        labels=_LABELS,
        **paging.context(len(found.users), found.total),
    )


def _user_page(
    request: PanelRequest, user: User, form: Form | None = None, *, conflict: FormConflictError | None = None
) -> Response[Any]:
    stored = values_of(user)
    values = stored if form is None else form.shown(stored)
    return page(
        request,
        "user.html",
        **form_context(form, stored, values, _LABELS, conflict=conflict),
        shown=user,
    )


def _delete_page(request: PanelRequest, user: User, problem: str = "") -> Response[Any]:
    return page(request, "user_delete.html", status=409 if problem else 200, shown=user, problem=problem)
