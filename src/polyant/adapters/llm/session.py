"""The HTTP session for calls to providers."""

import aiohttp

READ_BUFFER_BYTES = 16 * 1024
"""Response bytes from which a connection isn't read until the turn takes them; aiohttp reads on to twice as many.

A client that accepts no data holds them, copied at each stage of the response, until it is disconnected. The event loop
reads up to 256 KiB at once, which come on top. aiohttp's own limit of 256 KiB made that 2.5 MB for each such client.
"""


def open_session(*, connector: aiohttp.TCPConnector | None = None) -> aiohttp.ClientSession:
    """Returns a session without a connection limit, cookies or a total timeout.

    Call it inside the event loop.

    Args:
        connector: Makes the connections; None for one without restrictions.
    """
    return aiohttp.ClientSession(
        connector=connector or aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=READ_BUFFER_BYTES,
    )
