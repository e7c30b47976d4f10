"""Sessions of the management API: who is calling, and whether a web page may do so in the user's name."""

from typing import Any, cast

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import HTTPScope, Scope

from polyant.domain.errors import AuthenticationError, PermissionDeniedError
from polyant.domain.secrets import SecretText
from polyant.domain.urls import names_a_server, origin_of
from polyant.domain.use_cases.identify_caller import InvalidCredentialError
from polyant.domain.use_cases.log_in import SESSION_LASTS
from polyant.domain.use_cases.recognise_user import LoggedIn, RecogniseUser
from polyant.domain.users import Role
from polyant.http.auth import SESSION_COOKIE, credentials_in
from polyant.http.client_address import scheme_of
from polyant.http.record import record_of
from polyant.http.throttle import Throttle

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({b"same-origin", b"none"})


class SessionGate:
    """Lets requests with a session through, and makes the cookie that carries its token."""

    def __init__(self, *, recognise: RecogniseUser, throttle: Throttle, trusted_hops: int) -> None:
        self._recognise = recognise
        self._throttle = throttle
        self._trusted_hops = trusted_hops

    async def admit(self, scope: HTTPScope) -> LoggedIn:
        """Returns who is calling; a bearer token beats the cookie.

        Raises:
            AuthenticationError: There is no session, or it is over.
            PermissionDeniedError: The cookie came along with a write that another site's page caused.
            RateLimitedError: There were too many bad sessions from this address.
        """
        credentials = credentials_in(scope)
        token = credentials.bearer or credentials.cookie
        if token is None:
            raise AuthenticationError("Missing authentication")
        if credentials.bearer is None and scope["method"] not in _SAFE_METHODS:
            self._require_own_page(scope)
        who = await self._recognise(token)
        if who is None:
            await self._throttle.failed_credential(scope)
            raise InvalidCredentialError
        return who

    async def count_login(self, scope: Scope, email: str) -> None:
        """Counts an attempt to prove that one knows a password.

        Raises:
            RateLimitedError: There were too many.
        """
        await self._throttle.login(scope, email)

    def cookie(self, scope: Scope, token: SecretText | None) -> Cookie:
        """Returns the cookie that carries the token, or without one the cookie that ends it."""
        return Cookie(
            key=SESSION_COOKIE,
            value="" if token is None else token.reveal(),
            max_age=0 if token is None else int(SESSION_LASTS.total_seconds()),
            path="/",
            httponly=True,
            samesite="lax",
            secure=scheme_of(scope, trusted_hops=self._trusted_hops) == "https",
        )

    def _require_own_page(self, scope: HTTPScope) -> None:
        headers = dict(scope["headers"])
        own = f"{scheme_of(scope, trusted_hops=self._trusted_hops)}://{headers.get(b'host', b'').decode('latin-1')}"
        origin = headers.get(b"origin", b"").decode("latin-1")
        if headers.get(b"sec-fetch-site", b"none") not in _OWN_SITES or not _same_origin(origin, own):
            raise PermissionDeniedError(
                "Only this server's own pages may write with the session cookie: send the token as a Bearer instead",
                hint="Behind a proxy that speaks TLS, set TRUST_PROXY and let it pass the Host header on",
            )


class SessionMiddleware(AbstractAuthenticationMiddleware):
    """Puts the user and the session into each request of the management API but those that open one."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Returns who is calling, as the request's `user` and `auth`."""
        gate: SessionGate = connection.app.state.session_gate
        who = await gate.admit(cast("HTTPScope", connection.scope))
        record_of(connection.scope).shows_hints = True
        return AuthenticationResult(user=who.user, auth=who)


async def require_superadmin(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Returns if the user may manage users.

    Raises:
        PermissionDeniedError: The user may not.
    """
    if connection.user.role is not Role.SUPERADMIN:
        raise PermissionDeniedError("Only a superadmin may manage users")


def _same_origin(one: str, other: str) -> bool:
    return names_a_server(one) and names_a_server(other) and origin_of(one) == origin_of(other)
