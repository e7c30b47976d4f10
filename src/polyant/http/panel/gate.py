"""The door of the panel: origin check first, then the session, and the headers of every page."""

from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from polyant.domain.errors import PolyantError, RateLimitedError, UnavailableError
from polyant.http.panel.errors import error_page
from polyant.http.panel.forms import read_form
from polyant.http.panel.pages import panel_of, see_other
from polyant.http.panel.sign_in import LOGIN, session_over_page
from polyant.http.record import record_of

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# With no-referrer, browsers send `Origin: null` with forms, and the origin check refuses every form.
PAGE_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""The headers of every page."""


class PanelMiddleware:
    """Lets signed-in users pass, and others to the sign-in page only.

    Args:
        app: The rest of the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""

        async def send_page(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *PAGE_HEADERS]
            await send(message)

        request: Request[Any, Any, Any] = Request(scope, receive, send_page)
        try:
            refusal = await _admit(request)
        except (PolyantError, HTTPException) as error:
            refusal = error_page(request, error)
        if refusal is None:
            await self._app(scope, receive, send_page)
        else:
            answer = refusal.to_asgi_response(app=None, request=request)
            await answer(scope, receive, send_page)


async def _admit(request: Request[Any, Any, Any]) -> Response[Any] | None:
    """Returns None after adding the user to the request, or the response for a visitor who isn't signed in.

    Raises:
        HTTPException: The form is too large, or the user's role isn't sufficient.
        InvalidInputError: The form is invalid.
        PermissionDeniedError: The form comes from a page of another origin.
        RateLimitedError: This address sent too many invalid sessions.
        UnavailableError: The sessions can't be read.
    """
    scope: HTTPScope = request.scope
    gate = panel_of(request).gate
    if scope["method"] not in _SAFE_METHODS:
        gate.require_own_page(scope)
    try:
        who = await gate.visitor(scope)
    except RateLimitedError:
        if scope["path"] != LOGIN:
            raise
        who = None  # a stale cookie keeps nobody from signing in; logins have limits of their own
    except UnavailableError:
        if scope["method"] not in _SAFE_METHODS:
            await read_form(request)  # the error page shows what was typed
        raise
    if who is not None:
        scope["user"], scope["auth"] = who.user, who
        record_of(scope).shows_hints = True
        if scope["method"] not in _SAFE_METHODS and scope["path"] != LOGIN:  # logins are counted before they are read
            await scope["route_handler"].authorize_connection(request)  # a form that nobody may send isn't read
            await read_form(request)  # whatever fails from here on, the error page shows what was typed
    elif scope["path"] != LOGIN:
        if scope["method"] in _SAFE_METHODS:
            return see_other(f"{LOGIN}?next={quote(_target(scope), safe='/')}")
        return session_over_page(request, await read_form(request))
    return None


def _target(scope: HTTPScope) -> str:
    """Returns the path and the query of a request."""
    query = scope["query_string"].decode("latin-1")
    return scope["path"] + (f"?{query}" if query else "")
