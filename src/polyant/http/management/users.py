"""/api/users: the users of the management API; only for superadmins."""

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
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.authentication import require_superadmin
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import (
    Body,
    Deleted,
    Page,
    Paging,
    ResponseBody,
    Search,
    Timestamp,
    pattern_schema,
    user_id_in,
)

Email = Annotated[
    str,
    Meta(
        max_length=MAX_EMAIL_CHARACTERS,
        extra_json_schema=pattern_schema(EMAIL_PATTERN),
        description="Email address for the login; case-insensitive",
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


class UserOut(ResponseBody, frozen=True, kw_only=True):
    """A user."""

    id: Annotated[str, Meta(examples=["9c1d5e0f6a7b4c3d8e2f1a0b9c8d7e6f"])]
    email: Email
    role: Role
    disabled: bool
    created_at: Timestamp
    updated_at: Timestamp


class UserResponse(ResponseBody, frozen=True, kw_only=True):
    """One user."""

    user: UserOut


class UserList(Page, frozen=True):
    """A page of users."""

    users: tuple[UserOut, ...]


class CreateUserBody(Body, frozen=True, kw_only=True):
    """The user to create."""

    email: Email
    password: Password
    role: Role = Role.USER


class PatchUserBody(Body, frozen=True, kw_only=True):
    """The fields to change; omitted fields keep their values."""

    email: Email | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    password: Password | UnsetType = UNSET


class UsersController(Controller):
    """The users."""

    path = "/users"
    tags = ("Users",)
    guards = (require_superadmin,)

    @get(summary="List users", responses=read_errors(403))
    async def list_all(
        self, *, list_users: NamedDependency[ListUsers], paging: NamedDependency[Paging], search: Search = ""
    ) -> UserList:
        """Returns users, ordered by email address. `search` matches part of the address."""
        page = await list_users(search=search, limit=paging.limit, offset=paging.offset)
        return UserList(tuple(map(user_out, page.users)), **paging.of(page.total))

    @post(summary="Create a user", responses=write_errors(409))
    async def create(
        self, *, request: ApiRequest, data: JSONBody[CreateUserBody], create_user: NamedDependency[CreateUser]
    ) -> Response[UserResponse]:
        """Creates a user who can log in with the given password."""
        password = SecretText(data.password)
        user = await create_user(data.email, password, role=data.role, by=request.auth.actor)
        return user_response(user, status=201)

    @get("/{user_id:str}", summary="Get a user", responses=read_errors(403, 404))
    async def show(self, *, user_id: FromPath[str], show_user: NamedDependency[ShowUser]) -> Response[UserResponse]:
        """Returns one user."""
        return user_response(await show_user(user_id_in(user_id)))

    @patch("/{user_id:str}", summary="Update a user", responses=write_errors(404, 409, 412))
    async def change(
        self,
        *,
        request: ApiRequest,
        user_id: FromPath[str],
        data: JSONBody[PatchUserBody],
        update_user: NamedDependency[UpdateUser],
        if_match: IfMatch = None,
    ) -> Response[UserResponse]:
        """Updates the given fields. Disabling a user or setting a password ends all sessions of the user."""
        user = await update_user(
            user_id_in(user_id), _patch_of(data), by=request.auth.actor, expected_versions=versions_in(if_match)
        )
        return user_response(user)

    @delete("/{user_id:str}", summary="Delete a user", status_code=200, responses=write_errors(404, 409, 412))
    async def remove(
        self,
        *,
        request: ApiRequest,
        user_id: FromPath[str],
        delete_user: NamedDependency[DeleteUser],
        if_match: IfMatch = None,
    ) -> Deleted:
        """Deletes a user and ends the user's sessions immediately. The last superadmin can't be deleted."""
        await delete_user(user_id_in(user_id), by=request.auth.actor, expected_versions=versions_in(if_match))
        return Deleted()

    @delete(
        "/{user_id:str}/sessions", summary="Log a user out everywhere", status_code=200, responses=write_errors(404)
    )
    async def log_out(
        self, *, request: ApiRequest, user_id: FromPath[str], log_out: NamedDependency[LogOut]
    ) -> Deleted:
        """Ends all sessions of a user immediately."""
        await log_out.log_out_all(user_id_in(user_id), by=request.auth.actor)
        return Deleted()


def user_out(user: User) -> UserOut:
    """Returns a user as a wire struct, without the password."""
    return UserOut(**{name: getattr(user, name) for name in UserOut.__struct_fields__})


def user_response(user: User, *, status: int = 200) -> Response[UserResponse]:
    """Returns the response with a user and its ETag."""
    return Response(UserResponse(user=user_out(user)), status_code=status, headers={"ETag": etag_of(user.version)})


def _patch_of(body: PatchUserBody) -> UserPatch:
    password = body.password
    return UserPatch(
        email=body.email,
        role=body.role,
        disabled=body.disabled,
        password=UNSET if password is UNSET else SecretText(password),
    )
