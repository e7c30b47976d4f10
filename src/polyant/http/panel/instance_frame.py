"""The frame of an instance's pages: its name, its state and its tabs."""

from typing import Any

from litestar import Response

from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import Instance, Slug
from polyant.domain.secrets import AUTH_API_KEY
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.management.wire import slug_in
from polyant.http.panel.pages import PanelRequest, page


class NoSuchInstanceError(UnknownInstanceError):
    """No instance has the slug in the path; the page names it."""

    def __init__(self, slug: str) -> None:
        super().__init__()
        self.message = f"There is no instance called {slug}."


def panel_slug(path: str) -> Slug:
    """Returns the slug in a path.

    Raises:
        NoSuchInstanceError: No instance can have it.
    """
    try:
        return slug_in(path)
    except UnknownInstanceError:
        raise NoSuchInstanceError(path) from None


async def instance_in(path: str, show_instance: ShowInstance) -> Instance:
    """Returns the instance whose slug is in a path.

    Raises:
        NoSuchInstanceError: There is none.
    """
    try:
        return await show_instance(panel_slug(path))
    except UnknownInstanceError:
        raise NoSuchInstanceError(path) from None


def key_time(instance: Instance) -> str:
    """Returns when the key of the callers was set; forms that replace it carry this, so that none replaces it twice."""
    key = instance.secrets.get(AUTH_API_KEY)
    return "" if key is None else key.updated_at.isoformat()


def instance_path(slug: Slug, tab: str = "") -> str:
    """Returns the path of a tab of an instance."""
    return f"/instances/{slug}/{tab}" if tab else f"/instances/{slug}"


def instance_page(
    request: PanelRequest, template: str, instance: Instance, *, status: int = 200, **context: Any
) -> Response[Any]:
    """Returns a page of an instance, in the frame with its name, its state and its tabs."""
    return page(
        request,
        template,
        status=status,
        instance=instance,
        instance_path=instance_path(instance.slug),
        key_time=key_time(instance),
        **context,
    )
