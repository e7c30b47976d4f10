"""Port: images on the web."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable


@runtime_checkable
class ImageFetcher(Protocol):
    """Fetches the images whose http and https URLs callers send."""

    @abstractmethod
    async def fetch(self, url: str, *, max_bytes: int) -> bytes:
        """Returns the content behind a URL, whatever its type.

        Every connection, including those of redirects, goes to a public IP address. No credentials and no cookies are
        sent. Calls may overlap, and a cancelled call ends immediately.

        Raises:
            MediaTooLargeError: The content has more than `max_bytes` bytes; the rest isn't read.
            InvalidInputError: The URL isn't an http or https URL, or it can't be fetched in time. The message is the
                same for every reason on the network, so that nobody can explore a network, and contains no URL.
        """
