"""/api/auth and /api/me: sessions, and the account of the current user."""

from datetime import timedelta
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from polyant.domain.login_limits import ACCOUNT_LIMIT, KNOWN_FOR, NETWORK_LIMIT, UNKNOWN_NETWORKS_LIMIT
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.change_password import ChangePassword
from polyant.domain.use_cases.log_in import SESSION_LIFETIME, LogIn
from polyant.domain.use_cases.log_out import LogOut
from polyant.domain.users import MAX_EMAIL_CHARACTERS, MAX_PASSWORD_CHARACTERS
from polyant.http.disconnects import while_connected
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.authentication import MAX_LOGIN_BODY_BYTES, SessionGate, limit_logins
from polyant.http.management.requests import ApiRequest
from polyant.http.management.users import Password, UserOut, UserResponse, user_out, user_response
from polyant.http.management.wire import Body, ResponseBody, Timestamp
from polyant.http.throttle import Throttle

GivenPassword = Annotated[str, Meta(max_length=MAX_PASSWORD_CHARACTERS, examples=["correct horse battery staple"])]


class LoginBody(Body, frozen=True, kw_only=True):
    """The credentials of a user."""

    email: Annotated[str, Meta(max_length=MAX_EMAIL_CHARACTERS, examples=["ada@example.com"])]
    password: GivenPassword


class LoginResponse(ResponseBody, frozen=True, kw_only=True):
    """A new session."""

    token: Annotated[str, Meta(description="Session token; send it as a Bearer token, or use the session cookie")]
    expires_at: Timestamp
    user: UserOut


class LoggedOut(ResponseBody, frozen=True, kw_only=True):
    """The confirmation of a logout."""

    logged_out: bool = True


class PasswordBody(Body, frozen=True, kw_only=True):
    """The current and the new password."""

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
            f"Starts a session of {SESSION_LIFETIME // timedelta(hours=1)} hours and sets the session cookie. "
            f"Limited to {ACCOUNT_LIMIT.requests} attempts per minute for an account from one client address, "
            f"{NETWORK_LIMIT.requests} per minute for a client address, and {UNKNOWN_NETWORKS_LIMIT.requests} per hour "
            f"for an account from addresses without a successful login in the last {KNOWN_FOR.days} days."
        ),
        status_code=200,
        exclude_from_auth=True,
        guards=[limit_logins],
        request_max_body_size=MAX_LOGIN_BODY_BYTES,
        security=[{}],
        responses=write_errors(),
    )
    async def log_in(
        self,
        *,
        request: ApiRequest,
        data: JSONBody[LoginBody],
        log_in: NamedDependency[LogIn],
        session_gate: NamedDependency[SessionGate],
        throttle: NamedDependency[Throttle],
    ) -> Response[LoginResponse]:
        """Starts a session."""
        work = log_in(data.email, SecretText(data.password), network=throttle.key_of(request.scope))
        who = await while_connected(request.receive, work)
        content = LoginResponse(token=who.token.reveal(), expires_at=who.session.expires_at, user=user_out(who.user))
        return Response(content, cookies=[session_gate.cookie(request.scope, who.token)])

    @post("/logout", summary="Log out", status_code=200, responses=write_errors(404))
    async def log_out(
        self,
        *,
        request: ApiRequest,
        log_out: NamedDependency[LogOut],
        session_gate: NamedDependency[SessionGate],
        everywhere: Annotated[
            bool, QueryParameter(name="everywhere", description="Whether to end all sessions of the user")
        ] = False,
    ) -> Response[LoggedOut]:
        """Ends this session, or all sessions of the user. It takes effect immediately on all servers."""
        if everywhere:
            await log_out.log_out_all(request.user.id, by=request.auth.actor)
        else:
            await log_out(request.auth)
        return Response(LoggedOut(), cookies=[session_gate.cookie(request.scope, None)])

    @get("/me", summary="Get the current user", responses=read_errors(), sync_to_thread=False)
    def me(self, request: ApiRequest) -> Response[UserResponse]:
        """Returns the user of this session."""
        return user_response(request.user)


class AccountController(Controller):
    """The account of the current user."""

    path = "/me"
    tags = ("Sessions",)

    @post("/password", summary="Change your password", status_code=200, responses=write_errors(404, 412))
    async def change_password(
        self,
        *,
        request: ApiRequest,
        data: JSONBody[PasswordBody],
        change_password: NamedDependency[ChangePassword],
    ) -> Response[UserResponse]:
        """Changes your password and ends all your other sessions. Limited to 5 attempts per minute and 30 per hour."""
        user = await change_password(
            request.auth, current=SecretText(data.current_password), new=SecretText(data.new_password)
        )
        return user_response(user)
