"""Failures as pages of the panel."""

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from polyant.domain.errors import PolyantError
from polyant.http.errors import body_of, handle_http_exception
from polyant.http.panel.forms import RETRY, Form, fits
from polyant.http.panel.pages import page, panel_of
from polyant.http.record import record_of

_TITLES = {
    400: "That didn’t work",
    403: "You may not do this",
    404: "There is nothing here",
    409: "That is taken",
    413: "That is too large",
    429: "Too many attempts",
    500: "Something broke",
    503: "Not available right now",
}


def error_page(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Returns the page for an error, with what was typed into the form that caused it."""
    record = record_of(request.scope)
    body = handle_http_exception(request, error).content if isinstance(error, HTTPException) else body_of(error, record)
    retry_after = error.retry_after if isinstance(error, PolyantError) else None
    form = _form_of(request)
    typed = () if form is None else form.replayed()
    kept = fits(typed, panel_of(request).max_form_bytes)
    shown = page(
        request,
        "error.html",
        status=body.statusCode,
        title=_TITLES.get(body.statusCode, _TITLES[400]),
        message=_message(body.statusCode, body.message, retry_after),
        request_id=record.request_id if body.statusCode >= 500 else None,  # noqa: PLR2004 - the server's own failures
        typed=typed if kept else (),
        retry=RETRY if kept and form is not None and form.has_secrets else "",
        lost=not kept,
    )
    if retry_after is not None:
        shown.headers["Retry-After"] = str(retry_after)
    return shown


def _message(status: int, message: str, retry_after: int | None) -> str:
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        return f"Too many attempts. Try again in {retry_after} seconds."
    return message if message.endswith(".") else f"{message}."


def _form_of(request: Request[Any, Any, Any]) -> Form | None:
    """Returns the posted form, if it was read."""
    form = request.scope["state"].get("form")
    return form if isinstance(form, Form) else None
