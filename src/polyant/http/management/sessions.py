"""/api/auth and /api/me: logging in and out, and one's own account."""

from datetime import timedelta
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.change_password import ChangePassword
from polyant.domain.use_cases.log_in import SESSION_LASTS, LogIn
from polyant.domain.use_cases.log_out import LogOut
from polyant.domain.users import MAX_EMAIL_CHARACTERS, MAX_PASSWORD_CHARACTERS
from polyant.http.management.authentication import SessionGate
from polyant.http.management.requests import ApiRequest
from polyant.http.management.users import Password, UserAnswer, UserOut, user_answer, user_out
from polyant.http.management.wire import Answer, Body, Moment
from polyant.http.refusals import read_refusals, write_refusals
from polyant.http.throttle import LOGIN_LIMIT

GivenPassword = Annotated[str, Meta(max_length=MAX_PASSWORD_CHARACTERS, examples=["correct horse battery staple"])]


class LoginBody(Body, frozen=True, kw_only=True):
    """Who wants in."""

    email: Annotated[str, Meta(max_length=MAX_EMAIL_CHARACTERS, examples=["ada@example.com"])]
    password: GivenPassword


class LoginAnswer(Answer, frozen=True, kw_only=True):
    """A new session; the token is sent as a Bearer, or comes back as the cookie."""

    token: str
    expires_at: Moment
    user: UserOut


class LoggedOut(Answer, frozen=True, kw_only=True):
    """The session is over."""

    logged_out: bool = True


class PasswordBody(Body, frozen=True, kw_only=True):
    """The present password, and the one to come."""

    current_password: GivenPassword
    new_password: Password


class SessionsController(Controller):
    """Sessions."""

    path = "/auth"
    tags = ("Sessions",)

    @post(
        "/login",
        summary="Log in",
        description=(
            f"Opens a session of {SESSION_LASTS // timedelta(hours=1)} hours. In {LOGIN_LIMIT.seconds} seconds, "
            f"{LOGIN_LIMIT.requests} attempts are allowed for an account, and as many from an address."
        ),
        status_code=200,
        exclude_from_auth=True,
        security=[{}],
        responses=write_refusals(),
    )
    async def log_in(
        self,
        *,
        request: ApiRequest,
        data: JSONBody[LoginBody],
        log_in: NamedDependency[LogIn],
        session_gate: NamedDependency[SessionGate],
    ) -> Response[LoginAnswer]:
        """Opens a session."""
        await session_gate.count_login(request.scope, data.email)
        who = await log_in(data.email, SecretText(data.password))
        content = LoginAnswer(token=who.token.reveal(), expires_at=who.session.expires_at, user=user_out(who.user))
        return Response(content, cookies=[session_gate.cookie(request.scope, who.token)])

    @post("/logout", summary="Log out", status_code=200, responses=write_refusals(404))
    async def log_out(
        self,
        *,
        request: ApiRequest,
        log_out: NamedDependency[LogOut],
        session_gate: NamedDependency[SessionGate],
        everywhere: Annotated[
            bool, QueryParameter(name="everywhere", description="End all sessions of the user")
        ] = False,
    ) -> Response[LoggedOut]:
        """Ends this session, or all of the user's, at once and on every server."""
        if everywhere:
            await log_out.log_out_all(request.user.id, by=request.auth.actor)
        else:
            await log_out(request.auth)
        return Response(LoggedOut(), cookies=[session_gate.cookie(request.scope, None)])

    @get("/me", summary="Show who is logged in", responses=read_refusals(), sync_to_thread=False)
    def me(self, request: ApiRequest) -> Response[UserAnswer]:
        """Shows the user of this session."""
        return user_answer(request.user)


class AccountController(Controller):
    """One's own account."""

    path = "/me"
    tags = ("Sessions",)

    @post("/password", summary="Change one's password", status_code=200, responses=write_refusals(404, 412))
    async def change_password(
        self,
        *,
        request: ApiRequest,
        data: JSONBody[PasswordBody],
        change_password: NamedDependency[ChangePassword],
        session_gate: NamedDependency[SessionGate],
    ) -> Response[UserAnswer]:
        """Replaces the user's password; all other sessions of the user end. It is limited as logging in is."""
        await session_gate.count_login(request.scope, request.user.email)
        user = await change_password(
            request.auth, current=SecretText(data.current_password), new=SecretText(data.new_password)
        )
        return user_answer(user)
