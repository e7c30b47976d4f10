"""Reads the credentials of a request and identifies its caller."""

from litestar.types import Scope

from polyant.domain.access import Credentials, bearer_of
from polyant.domain.instances import Slug
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.identify_caller import IdentifyCaller
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.http.throttle import Throttle

SESSION_COOKIE = "polyant_session"
SECURE_SESSION_COOKIE = f"__Host-{SESSION_COOKIE}"
"""The name over https: browsers accept it only from this host, so that a page of a sister domain can't set it."""


def session_cookie_name(*, secure: bool) -> str:
    """Returns the name of the session cookie over https or http."""
    return SECURE_SESSION_COOKIE if secure else SESSION_COOKIE


def bearer_in(scope: Scope) -> SecretText | None:
    """Returns the request's bearer token, or None."""
    return bearer_of(_header(scope, b"authorization"))


def credentials_in(scope: Scope, *, secure: bool) -> Credentials:
    """Returns the bearer token and the session cookie of a request; `secure` is whether it came over https."""
    return Credentials(bearer=bearer_in(scope), cookie=_cookie(scope, session_cookie_name(secure=secure)))


async def require_caller(scope: Scope, identify: IdentifyCaller, throttle: Throttle) -> LoggedIn | Slug:
    """Returns the logged-in user, or the slug of the instance whose API key the caller sent.

    Raises:
        AuthenticationError: The request has no valid credential.
        RateLimitedError: This address sent too many invalid credentials.
    """
    return await identify(credentials_in(scope, secure=throttle.is_secure(scope)), network=throttle.key_of(scope))


def _cookie(scope: Scope, wanted: str) -> SecretText | None:
    # http.cookies stops at the first malformed cookie, and browsers send the cookies of every port of this host.
    pairs = (part.strip().partition("=") for part in (_header(scope, b"cookie") or "").split(";"))
    return next((SecretText(value) for name, _, value in pairs if name == wanted and value), None)


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)
