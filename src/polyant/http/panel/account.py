"""/account: one's own password and sessions."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency

from polyant.domain.errors import InvalidInputError, PermissionDeniedError
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.change_password import ChangePassword
from polyant.domain.use_cases.log_out import LogOut
from polyant.domain.users import check_password
from polyant.http.panel.forms import Form, read_form
from polyant.http.panel.pages import PanelRequest, page, panel_of, see_other
from polyant.http.panel.sign_in import LOGIN

_CURRENT, _NEW = "secret.current", "secret.new"


class AccountPageController(Controller):
    """The account of the signed-in user."""

    path = "/account"
    include_in_schema = False

    @get(sync_to_thread=False)
    def show(self, request: PanelRequest) -> Response[Any]:
        """Returns the page."""
        return _page(request, Form())

    @post("/password")
    async def change_password(
        self, *, request: PanelRequest, change_password: NamedDependency[ChangePassword]
    ) -> Response[Any]:
        """Changes the password, and ends the user's other sessions."""
        form = await read_form(request)
        if form.is_draft:
            return _page(request, form)
        try:
            check_password(form.raw(_NEW))
        except InvalidInputError as error:
            form.errors[_NEW] = error.message
            return _page(request, form)
        try:
            current, new = SecretText(form.raw(_CURRENT)), SecretText(form.raw(_NEW))
            await change_password(request.auth, current=current, new=new)
        except PermissionDeniedError:
            form.errors[_CURRENT] = "That isn’t your current password"
            return _page(request, form)
        return see_other("/account?done=password")

    @post("/sessions")
    async def end_sessions(self, *, request: PanelRequest, log_out: NamedDependency[LogOut]) -> Response[Any]:
        """Ends all sessions of the user, this one included."""
        if (await read_form(request)).is_draft:
            return _page(request, Form())
        await log_out.log_out_all(request.user.id, by=request.auth.actor)
        response = see_other(f"{LOGIN}?done=sessions")
        response.cookies.append(panel_of(request).gate.cookie(request.scope, None))
        return response


def _page(request: PanelRequest, form: Form) -> Response[Any]:
    return page(
        request,
        "account.html",
        status=400 if form.errors else 200,
        done_code=form.draft_code,
        errors=form.errors,
        labels={_CURRENT: "Current password", _NEW: "New password"},
    )
