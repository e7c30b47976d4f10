"""Session authentication of the management API, and its protection against cross-site requests."""

from typing import Any, cast

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import HTTPScope, Scope

from polyant.domain.access import InvalidSessionError
from polyant.domain.errors import AuthenticationError, PermissionDeniedError
from polyant.domain.secrets import SecretText
from polyant.domain.urls import is_server_url, origin_of
from polyant.domain.use_cases.log_in import SESSION_LIFETIME
from polyant.domain.use_cases.recognise_user import LoggedIn, RecogniseUser
from polyant.domain.users import Role
from polyant.http.auth import credentials_in, session_cookie_name
from polyant.http.client_address import scheme_of
from polyant.http.record import record_of
from polyant.http.throttle import Throttle

MAX_LOGIN_BODY_BYTES = 4 * 1_024
"""The maximum size of the body of a login."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({b"same-origin", b"none"})


class SessionGate:
    """Authenticates requests by their session and creates the session cookie.

    Args:
        recognise: Finds the user of a session token.
        throttle: Limits invalid sessions.
        trusted_hops: The number of trusted proxies.
        public_url: The origin at which the internet reaches the server, in addition to the one in the Host header.
    """

    def __init__(
        self, *, recognise: RecogniseUser, throttle: Throttle, trusted_hops: int, public_url: str | None = None
    ) -> None:
        self._recognise = recognise
        self._throttle = throttle
        self._trusted_hops = trusted_hops
        self._public_url = public_url

    async def admit(self, scope: HTTPScope) -> LoggedIn:
        """Returns the logged-in user and the session; a bearer token takes precedence over the cookie.

        Raises:
            AuthenticationError: The session is missing, invalid or expired.
            PermissionDeniedError: The request writes with the cookie and comes from a page of another origin.
            RateLimitedError: This address sent too many invalid sessions.
        """
        credentials = credentials_in(scope, secure=self._throttle.is_secure(scope))
        token = credentials.bearer or credentials.cookie
        if token is None:
            raise AuthenticationError("Missing authentication")
        if credentials.bearer is None and scope["method"] not in _SAFE_METHODS:
            self.require_own_page(scope)
        return await self._recognised(scope, token)

    async def visitor(self, scope: Scope) -> LoggedIn | None:
        """Returns the user of the session cookie and the session, or None without a valid session.

        Raises:
            RateLimitedError: This address sent too many invalid sessions.
        """
        token = credentials_in(scope, secure=self._throttle.is_secure(scope)).cookie
        if token is None:
            return None
        try:
            return await self._recognised(scope, token)
        except InvalidSessionError:
            return None

    async def _recognised(self, scope: Scope, token: SecretText) -> LoggedIn:
        async def recognise() -> LoggedIn:
            who = await self._recognise(token)
            if who is None:
                raise InvalidSessionError
            return who

        return await self._throttle.checked(scope, token, recognise)

    def cookie(self, scope: Scope, token: SecretText | None) -> Cookie:
        """Returns the session cookie; without a token, a cookie that deletes it."""
        secure = self._throttle.is_secure(scope)
        return Cookie(
            key=session_cookie_name(secure=secure),
            value="" if token is None else token.reveal(),
            max_age=0 if token is None else int(SESSION_LIFETIME.total_seconds()),
            path="/",
            httponly=True,
            samesite="lax",
            secure=secure,
        )

    def own_origin(self, scope: Scope) -> str:
        """Returns the origin at which the client reached the server, such as `https://assistants.example.com`."""
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        return f"{scheme_of(scope, trusted_hops=self._trusted_hops)}://{host}"

    def require_own_page(self, scope: Scope) -> None:
        """Returns if the request comes from a page of this server.

        Raises:
            PermissionDeniedError: It comes from a page of another origin, or doesn't name its origin.
        """
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        own = (self.own_origin(scope), self._public_url or "")
        if headers.get(b"sec-fetch-site", b"none") not in _OWN_SITES or not any(_same_origin(origin, o) for o in own):
            raise PermissionDeniedError(
                "Only this server's own pages may write with the session cookie: "
                "send the token in the Authorization header instead",
                hint="Behind a TLS proxy, set TRUST_PROXY and configure the proxy to forward the Host header",
            )


class SessionMiddleware(AbstractAuthenticationMiddleware):
    """Adds the user and the session to each request of the management API, except the login."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Returns the user and the session, which become the request's `user` and `auth`."""
        gate: SessionGate = connection.app.state.session_gate
        who = await gate.admit(cast("HTTPScope", connection.scope))
        record_of(connection.scope).shows_hints = True
        return AuthenticationResult(user=who.user, auth=who)


async def limit_logins(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Counts a login before its body is read; every route that accepts passwords for a session has this guard.

    Raises:
        RateLimitedError: The client's network made too many logins.
    """
    throttle: Throttle = connection.app.state.throttle
    await throttle.login(connection.scope)


async def require_superadmin(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Returns if the user is a superadmin.

    Raises:
        PermissionDeniedError: The user has another role.
    """
    if connection.user.role is not Role.SUPERADMIN:
        raise PermissionDeniedError("Only a superadmin may manage users")


def _same_origin(one: str, other: str) -> bool:
    return is_server_url(one) and is_server_url(other) and origin_of(one) == origin_of(other)
