"""The one HTTP session that all providers share."""

import aiohttp


def open_session() -> aiohttp.ClientSession:
    """Returns a session without limits, cookies or a total timeout; to be called inside the event loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
    )
