"""The page that shows a new API key, once."""

from typing import Any

from litestar import Response

from polyant.domain.instances import Instance
from polyant.domain.secrets import PREVIOUS_AUTH_API_KEY, SecretText
from polyant.http.panel.instance_frame import instance_page
from polyant.http.panel.pages import PanelRequest, base_url_of


def key_page(request: PanelRequest, instance: Instance, key: SecretText) -> Response[Any]:
    """Returns the page with a new API key, which isn't shown again, and a command that uses it."""
    previous = instance.secrets.get(PREVIOUS_AUTH_API_KEY)
    return instance_page(
        request,
        "key.html",
        instance,
        key=key.reveal(),
        base_url=base_url_of(request),
        old_key_until=None if previous is None else previous.expires_at,
    )
