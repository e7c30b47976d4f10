"""/login and /logout: sessions for people, and the return to a form after a session's end."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.types import ASGIApp, HTTPRequestEvent, Message, Receive, Scope, Send

from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.log_in import LogIn, OpenedSession, WrongPasswordError
from polyant.domain.use_cases.log_out import LogOut
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.http.disconnects import while_connected
from polyant.http.management.authentication import limit_logins
from polyant.http.panel.forms import DRAFT, Form, encode_form, fits, read_form
from polyant.http.panel.pages import PanelRequest, page, panel_of, see_other
from polyant.http.throttle import Throttle

LOGIN = "/login"
HOME = "/instances"

_DRAFT_PREFIX = "draft."
_PLACES = ("/instances", "/create", "/import", "/account", "/users", "/audit", "/status")


class SignInController(Controller):
    """Signing in and out."""

    path = "/"
    include_in_schema = False

    @get("/", sync_to_thread=False)
    def home(self) -> Response[Any]:
        """Redirects to the list of instances."""
        return see_other(HOME)

    @get(LOGIN, sync_to_thread=False)
    def show(self, request: PanelRequest) -> Response[Any]:
        """Returns the sign-in page, or redirects a signed-in user."""
        target = panel_path(request.query_params.get("next", ""))
        if request.scope.get("auth") is not None:
            return see_other(target)
        return page(request, "login.html", next=target, email="", draft=(), lost=False, failed=False)

    @post(LOGIN, guards=[limit_logins])
    async def sign_in(
        self,
        *,
        request: PanelRequest,
        log_in: NamedDependency[LogIn],
        log_out: NamedDependency[LogOut],
        throttle: NamedDependency[Throttle],
    ) -> ASGIApp:
        """Opens a session, then redirects to the page, or shows the form that was typed before the session ended.

        The session that the browser had until then ends.
        """
        gate = panel_of(request).gate
        form = await read_form(request)
        email, target = form.text("email"), panel_path(form.text("next"))
        if form.is_draft:  # sent again after a failure, without the password
            again = page(
                request, "login.html", next=target, email=email, draft=_prefixed_draft(form), lost=False, failed=False
            )
            return again.to_asgi_response(app=None, request=request)
        work = log_in(email, SecretText(form.raw("secret.password")), network=throttle.key_of(request.scope))
        try:
            opened = await while_connected(request.receive, work)
        except WrongPasswordError:
            draft = _prefixed_draft(form)
            refused = page(
                request, "login.html", status=400, next=target, email=email, draft=draft, lost=False, failed=True
            )
            return refused.to_asgi_response(app=None, request=request)
        before = request.scope.get("auth")
        if isinstance(before, LoggedIn):
            await log_out(before)
        if target != HOME and (typed := _draft(form)):
            return _resubmitted(request, target, typed, opened)
        response = see_other(target)
        response.cookies.append(gate.cookie(request.scope, opened.token))
        return response.to_asgi_response(app=None, request=request)

    @post("/logout")
    async def sign_out(self, *, request: PanelRequest, log_out: NamedDependency[LogOut]) -> Response[Any]:
        """Ends the session."""
        await log_out(request.auth)
        response = see_other(f"{LOGIN}?done=signed-out")
        response.cookies.append(panel_of(request).gate.cookie(request.scope, None))
        return response


def session_over_page(request: Request[Any, Any, Any], form: Form) -> Response[Any]:
    """Returns the sign-in page that keeps what was typed into a form, except secrets."""
    target = panel_path(request.scope["path"])
    fields = form.replayed() if target == request.scope["path"] else ()
    draft = tuple((f"{_DRAFT_PREFIX}{name}", value) for name, value in fields)
    lost = not fits(draft, panel_of(request).max_form_bytes)
    return page(
        request,
        "login.html",
        status=401,
        next=target,
        email="",
        draft=() if lost else draft,
        lost=lost,
        failed=False,
    )


def panel_path(text: str) -> str:
    """Returns the text if it is a path of the panel, else the path of the first page."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return HOME
    safe = not parts.scheme and not parts.netloc and "\\" not in text and text.isprintable()
    known = any(parts.path == place or parts.path.startswith(f"{place}/") for place in _PLACES)
    return text if safe and known else HOME


def _prefixed_draft(form: Form) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in form.fields if name.startswith(_DRAFT_PREFIX))


def _draft(form: Form) -> tuple[tuple[str, str], ...]:
    return tuple((name.removeprefix(_DRAFT_PREFIX), value) for name, value in _prefixed_draft(form))


def _resubmitted(
    request: Request[Any, Any, Any], path: str, draft: tuple[tuple[str, str], ...], opened: OpenedSession
) -> ASGIApp:
    """Returns the application's response to the form, marked as a draft, with the cookie of the new session."""
    cookie = panel_of(request).gate.cookie(request.scope, opened.token)
    body = encode_form([*draft, (DRAFT, "1")])

    async def respond(scope: Scope, _: Receive, send: Send) -> None:
        async def receive_draft() -> HTTPRequestEvent:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], cookie.to_encoded_header()]
            await send(message)

        headers = {
            b"cookie": f"{cookie.key}={opened.token.reveal()}".encode(),
            b"content-type": b"application/x-www-form-urlencoded",
            b"content-length": b"%d" % len(body),
        }
        await request.app(_post_scope(scope, path, headers), receive_draft, send_with_cookie)

    return respond


def _post_scope(scope: Any, path: str, headers: Mapping[bytes, bytes]) -> Any:
    """Returns the scope of a request like that of `scope`, to another path and with these headers replaced."""
    kept = [(name, value) for name, value in scope["headers"] if name not in {*headers, b"transfer-encoding"}]
    outer = {key: scope[key] for key in ("type", "asgi", "http_version", "scheme", "client", "server", "method")}
    inner = {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""}
    return {**outer, **inner, "headers": [*kept, *headers.items()], "state": {"record": scope["state"]["record"]}}
