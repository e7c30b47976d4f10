"""Base URLs of providers: validation, correction, and the address in effect."""

from polyant.domain.errors import InvalidInputError
from polyant.domain.urls import is_server_url

_ENDPOINTS = ("/chat/completions", "/messages")
"""The paths that the providers' adapters append to a base URL."""


def parse_base_url(text: str) -> str:
    """Returns the text as a provider's base URL, without a trailing slash and without an endpoint's path.

    Raises:
        InvalidInputError: The text isn't an http or https URL with a host, or it has a user, a query or a fragment.
            These could contain a secret, which would then appear in logs.
    """
    url = _without_endpoint(text.strip().rstrip("/"))
    server = url.partition("://")[2].partition("/")[0]
    if "@" in server or "?" in url or "#" in url:
        raise InvalidInputError(
            "A base URL must not have a user, password, query or fragment: store keys as secrets, and set query "
            "parameters such as api-version in the options of the provider"
        )
    if not is_server_url(url):
        raise InvalidInputError("A base URL must start with http:// or https:// and contain a host")
    return url


def correction_of(text: str | None) -> str | None:
    """Returns a notice for an operator whose base URL was corrected, or None.

    Args:
        text: The base URL as the operator gave it; it is valid.
    """
    url = (text or "").strip().rstrip("/")
    corrected = _without_endpoint(url)
    if corrected == url:
        return None
    endpoint = url.removeprefix(corrected)
    return f"The base URL was corrected to {corrected}: {endpoint} is added to it for each call"


def _without_endpoint(url: str) -> str:
    endpoint = next((endpoint for endpoint in _ENDPOINTS if url.lower().endswith(endpoint)), "")
    return url[: len(url) - len(endpoint)].rstrip("/")
