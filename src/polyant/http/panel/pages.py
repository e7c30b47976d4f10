"""The frame of every page: the navigation, the signed-in user, and the answer to the last action."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.response import Redirect, Template

from polyant.domain.ports.clock import Clock
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.users import Role
from polyant.http.edge import is_local
from polyant.http.first_password import FirstPassword
from polyant.http.management.authentication import SessionGate
from polyant.http.panel.texts import DONE, UNFINISHED

STATIC = Path(__file__).parent / "static"

PanelRequest = Request[Any, LoggedIn, Any]
"""A request of the panel; `auth` is the signed-in user and the session."""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the server that the pages use."""

    gate: SessionGate
    clock: Clock
    exposed: bool = False
    """Whether other machines can reach the server, as far as the settings tell."""
    max_form_bytes: int = 2**20
    """The maximum size of a posted form."""
    public_url: str | None = None
    """The origin at which the internet reaches the server, such as `https://assistants.example.com`."""
    first_password: FirstPassword | None = None
    """The generated password of the first user."""


@cache
def static_version() -> str:
    """Returns a digest of the static files; their URLs contain it, so that browsers may keep them for a year."""
    digest = hashlib.sha256()
    for file in sorted(STATIC.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def panel_of(request: Request[Any, Any, Any]) -> Panel:
    """Returns the parts of the server that the pages use."""
    panel: Panel = request.app.state.panel
    return panel


def page(
    request: Request[Any, Any, Any], template: str, *, status: int = 200, done_code: str = "", **context: Any
) -> Template:
    """Returns a page.

    Args:
        request: The request that it answers.
        template: The file name of its template.
        status: The HTTP status.
        done_code: The code of the sentence at the top; by default, the code in the query.
        context: The variables of the template, in addition to those of the frame.
    """
    who = request.scope.get("auth")
    code = done_code or request.query_params.get("done", "")
    frame: dict[str, Any] = {
        "static_version": static_version(),
        "user": who.user if isinstance(who, LoggedIn) else None,
        "is_superadmin": isinstance(who, LoggedIn) and who.user.role is Role.SUPERADMIN,
        "now": panel_of(request).clock.now(),
        "done": DONE.get(code),
        "is_unfinished": code in UNFINISHED,
        "errors": {},
    }
    return Template(template, context={**frame, **context}, status_code=status, media_type="text/html")


def see_other(path: str) -> Response[Any]:
    """Returns the redirect to the page that shows what was done."""
    return Redirect(path, status_code=303)


def uses_first_password(request: PanelRequest) -> bool:
    """Returns whether the signed-in user still has the generated password of the first user."""
    first = panel_of(request).first_password
    return first is not None and first.is_used_by(request.auth.user)


def is_exposed(request: Request[Any, Any, Any]) -> bool:
    """Returns whether other machines can reach the server: by its settings, or because this request came from one."""
    return panel_of(request).exposed or not is_local(request.scope.get("server"))


def base_url_of(request: Request[Any, Any, Any]) -> str:
    """Returns the base URL that OpenAI clients use: that of PUBLIC_URL, else the one in the browser's address bar."""
    panel = panel_of(request)
    return f"{panel.public_url or panel.gate.own_origin(request.scope)}/v1"
