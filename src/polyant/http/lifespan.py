"""Reports why the application can't start."""

import logging
from typing import Any

from litestar.types import ASGIApp, Receive, Send

from polyant.domain.errors import PolyantError
from polyant.http.connections import ConnectionLimits, is_protocol_in_use

log = logging.getLogger("polyant.http")

_UNGUARDED = "slow and oversized requests are not limited: start uvicorn with --http polyant.http.protocol:HttpProtocol"


class StartupErrorReporter:
    """Reports an expected startup error by its message; other errors keep the traceback that Litestar reports.

    Args:
        app: The wrapped application.
        expected: The types of errors that need no traceback.
        connection_limits: The limits that the server's HTTP protocol reads from this application.
    """

    def __init__(
        self, app: ASGIApp, expected: tuple[type[Exception], ...], *, connection_limits: ConnectionLimits
    ) -> None:
        self._app = app
        self._expected = expected
        self.connection_limits = connection_limits

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Handles one connection or the application's lifespan."""
        if scope["type"] == "lifespan":
            if not is_protocol_in_use():
                log.warning(_UNGUARDED)
            await self._live(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, scope: Any, receive: Receive, send: Any) -> None:
        failure: dict[str, Any] = {}

        async def hold_failure(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed":
                failure.update(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold_failure)
        except BaseException as error:
            if failure:
                reason = _find(error, self._expected)
                await send(failure if reason is None else {**failure, "message": _message_of(reason)})
            raise


def _message_of(reason: BaseException) -> str:
    return reason.explanation if isinstance(reason, PolyantError) else str(reason)


def _find(error: BaseException, wanted: tuple[type[Exception], ...]) -> BaseException | None:
    """Returns the first error of a wanted type; searches exception groups, too."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := _find(inner, wanted))), None)
    return error if isinstance(error, wanted) else None
