"""/instances/{slug}/key: make, store and revoke the key of an instance's callers; a new key is shown once."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.errors import InvalidInputError, PreconditionFailedError
from polyant.domain.instances import Instance
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretText
from polyant.domain.use_cases.delete_secret import DeleteSecret
from polyant.domain.use_cases.issue_key import IssueKey
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.panel.forms import Form, read_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path, key_time
from polyant.http.panel.pages import PanelRequest, base_url_of, see_other
from polyant.http.panel.settings import SettingsPages

_OVERLAPS = frozenset({"0", "3600", "86400", "604800", "2592000"})
_OWN = "secret.own"
_MADE_ALREADY = "This key was made already and can’t be shown again. If it is lost, make a new one."


class KeyPageController(Controller):
    """The key of one instance's callers."""

    path = "/instances/{slug:str}/key"
    include_in_schema = False

    @get(sync_to_thread=False)
    def show(self, slug: FromPath[str]) -> Response[Any]:
        """Redirects to the key's section: a key is shown only in the answer that makes it."""
        return see_other(f"/instances/{slug}/settings#key")

    @post()
    async def make(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        issue_key: NamedDependency[IssueKey],
        settings_pages: NamedDependency[SettingsPages],
    ) -> Response[Any]:
        """Makes a key, or stores the user's own; a repeated form makes no second one."""
        form = await read_form(request)
        instance = await instance_in(slug, show_instance)
        if form.is_draft:
            return settings_pages.page(request, instance, done_code=form.draft_code)
        while form.text("replaces") == key_time(instance):
            try:
                key = await _issue(request, instance, form, issue_key)
            except InvalidInputError as error:
                return settings_pages.page(request, instance, status=400, notice=f"{error.message}.")
            except PreconditionFailedError:  # an unrelated change, or the same form sent twice
                instance = await instance_in(slug, show_instance)
            else:
                return key_page(request, await instance_in(slug, show_instance), key)
        return settings_pages.page(request, instance, status=409, notice=_MADE_ALREADY)

    @get("/revoke")
    async def confirm(
        self, *, request: PanelRequest, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[Any]:
        """Asks whether to revoke the key."""
        return instance_page(request, "key_revoke.html", await instance_in(slug, show_instance))

    @post("/revoke")
    async def revoke(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        delete_secret: NamedDependency[DeleteSecret],
    ) -> Response[Any]:
        """Revokes the key, and the one before it; a key that is gone already is no error."""
        instance = await instance_in(slug, show_instance)
        form = await read_form(request)
        if form.is_draft:
            return instance_page(request, "key_revoke.html", instance, done_code=form.draft_code)
        if instance.has_auth_key:
            await delete_secret(instance.slug, AUTH_API_KEY, by=request.auth.actor)
        return see_other(f"{instance_path(instance.slug, 'settings')}?done=revoked#key")


def key_page(request: PanelRequest, instance: Instance, key: SecretText | None) -> Response[Any]:
    """Returns the page with a new API key, which isn't shown again, and a command that uses it.

    Args:
        request: The request.
        instance: The instance with the key.
        key: The key; None for one that the user has chosen, which isn't shown.
    """
    previous = instance.secrets.get(PREVIOUS_AUTH_API_KEY)
    return instance_page(
        request,
        "key.html",
        instance,
        key=None if key is None else key.reveal(),
        base_url=base_url_of(request),
        old_key_until=None if previous is None else previous.expires_at,
    )


async def _issue(request: PanelRequest, instance: Instance, form: Form, issue_key: IssueKey) -> SecretText | None:
    """Returns the generated key, or None after storing the user's own."""
    own = form.text(_OWN) if _OWN in form else None
    overlap = form.text("grace")
    key = await issue_key(
        instance.slug,
        by=request.auth.actor,
        given=own,
        grace_seconds=int(overlap) if overlap in _OVERLAPS else 0,
        expected_versions=[instance.version],
    )
    return key if own is None else None
