"""/api/users: who may manage instances; for superadmins."""

from typing import Annotated

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, UnsetType

from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.create_user import CreateUser
from polyant.domain.use_cases.delete_user import DeleteUser
from polyant.domain.use_cases.list_users import ListUsers
from polyant.domain.use_cases.log_out import LogOut
from polyant.domain.use_cases.show_user import ShowUser
from polyant.domain.use_cases.update_user import UpdateUser, UserPatch
from polyant.domain.users import (
    EMAIL_PATTERN,
    MAX_EMAIL_CHARACTERS,
    MAX_PASSWORD_CHARACTERS,
    MIN_PASSWORD_CHARACTERS,
    Role,
    User,
)
from polyant.http.management.authentication import require_superadmin
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Answer, Body, Deleted, Moment, Page, Paging, Search, pattern_schema, user_id_in
from polyant.http.refusals import read_refusals, write_refusals

Email = Annotated[
    str,
    Meta(
        max_length=MAX_EMAIL_CHARACTERS,
        extra_json_schema=pattern_schema(EMAIL_PATTERN),
        description="What the user logs in with; upper and lower case are the same",
        examples=["ada@example.com"],
    ),
]
Password = Annotated[
    str,
    Meta(
        min_length=MIN_PASSWORD_CHARACTERS,
        max_length=MAX_PASSWORD_CHARACTERS,
        examples=["correct horse battery staple"],
    ),
]


class UserOut(Answer, frozen=True, kw_only=True):
    """A user."""

    id: Annotated[str, Meta(examples=["9c1d5e0f6a7b4c3d8e2f1a0b9c8d7e6f"])]
    email: Email
    role: Role
    disabled: bool
    created_at: Moment
    updated_at: Moment


class UserAnswer(Answer, frozen=True, kw_only=True):
    """One user."""

    user: UserOut


class UserList(Page, frozen=True):
    """A page of users."""

    users: tuple[UserOut, ...]


class CreateUserBody(Body, frozen=True, kw_only=True):
    """A new user."""

    email: Email
    password: Password
    role: Role = Role.USER


class PatchUserBody(Body, frozen=True, kw_only=True):
    """The fields to change; what isn't sent stays as it is."""

    email: Email | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    password: Password | UnsetType = UNSET


class UsersController(Controller):
    """The users."""

    path = "/users"
    tags = ("Users",)
    guards = (require_superadmin,)

    @get(summary="List users", responses=read_refusals(403))
    async def list_all(
        self, *, list_users: NamedDependency[ListUsers], paging: NamedDependency[Paging], search: Search = ""
    ) -> UserList:
        """Lists the users by their address; `search` finds part of it."""
        page = await list_users(search=search, limit=paging.limit, offset=paging.offset)
        return UserList(tuple(map(user_out, page.users)), **paging.of(page.total))

    @post(summary="Create a user", responses=write_refusals(409))
    async def create(
        self, *, request: ApiRequest, data: JSONBody[CreateUserBody], create_user: NamedDependency[CreateUser]
    ) -> Response[UserAnswer]:
        """Creates a user who can log in with that password."""
        password = SecretText(data.password)
        user = await create_user(data.email, password, role=data.role, by=request.auth.actor)
        return user_answer(user, status=201)

    @get("/{user_id:str}", summary="Show a user", responses=read_refusals(403, 404))
    async def show(self, *, user_id: FromPath[str], show_user: NamedDependency[ShowUser]) -> Response[UserAnswer]:
        """Shows one user."""
        return user_answer(await show_user(user_id_in(user_id)))

    @patch("/{user_id:str}", summary="Change a user", responses=write_refusals(404, 409, 412))
    async def change(
        self,
        *,
        request: ApiRequest,
        user_id: FromPath[str],
        data: JSONBody[PatchUserBody],
        update_user: NamedDependency[UpdateUser],
        if_match: IfMatch = None,
    ) -> Response[UserAnswer]:
        """Changes the fields that are sent. Who is disabled or gets another password is logged out everywhere."""
        user = await update_user(
            user_id_in(user_id), _patch_of(data), by=request.auth.actor, expected_versions=versions_in(if_match)
        )
        return user_answer(user)

    @delete("/{user_id:str}", summary="Delete a user", status_code=200, responses=write_refusals(404, 409, 412))
    async def remove(
        self,
        *,
        request: ApiRequest,
        user_id: FromPath[str],
        delete_user: NamedDependency[DeleteUser],
        if_match: IfMatch = None,
    ) -> Deleted:
        """Deletes a user, who is out at once. The last superadmin can't be deleted."""
        await delete_user(user_id_in(user_id), by=request.auth.actor, expected_versions=versions_in(if_match))
        return Deleted()

    @delete(
        "/{user_id:str}/sessions", summary="Log a user out everywhere", status_code=200, responses=write_refusals(404)
    )
    async def log_out(
        self, *, request: ApiRequest, user_id: FromPath[str], log_out: NamedDependency[LogOut]
    ) -> Deleted:
        """Ends all sessions of a user."""
        await log_out.log_out_all(user_id_in(user_id), by=request.auth.actor)
        return Deleted()


def user_out(user: User) -> UserOut:
    """Returns what is shown of a user."""
    return UserOut(**{name: getattr(user, name) for name in UserOut.__struct_fields__})


def user_answer(user: User, *, status: int = 200) -> Response[UserAnswer]:
    """Returns the answer that shows a user, with its entity tag."""
    return Response(UserAnswer(user=user_out(user)), status_code=status, headers={"ETag": etag_of(user.version)})


def _patch_of(body: PatchUserBody) -> UserPatch:
    password = body.password
    return UserPatch(
        email=body.email,
        role=body.role,
        disabled=body.disabled,
        password=UNSET if password is UNSET else SecretText(password),
    )
