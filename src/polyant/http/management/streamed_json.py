"""Sends JSON that is produced in pieces, so that a large response doesn't fill the memory."""

import logging
from collections.abc import AsyncIterator, Mapping

from litestar.types import Receive, Scope, Send

from polyant.domain.errors import PolyantError
from polyant.domain.running_turns import CallerGoneError
from polyant.http.disconnects import while_connected

log = logging.getLogger("polyant.http")


class StreamedJson:
    """An ASGI application that responds with the pieces of a JSON text.

    If a piece can't be produced, the connection is closed before the end of the response, so that no client takes the
    text for complete.

    Args:
        pieces: The pieces of the text. They are no longer asked for once the client has disconnected.
        headers: Further headers.
    """

    def __init__(self, pieces: AsyncIterator[bytes], headers: Mapping[str, str] | None = None) -> None:
        self._pieces = pieces
        self._headers = {"content-type": "application/json", **(headers or {})}

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Sends the response."""
        try:
            await while_connected(receive, self._send(send))
        except CallerGoneError:
            return
        except PolyantError as error:
            log.warning("a response was cut off: %s", error.explanation)

    async def _send(self, send: Send) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self._headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
