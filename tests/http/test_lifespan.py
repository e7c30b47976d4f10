import asyncio
import sys
from typing import Any

import pytest

from polyant.domain.errors import StorageUnavailableError
from polyant.http.connections import ConnectionLimits
from polyant.http.lifespan import StartupErrorReporter
from support.asgi import Lifespan
from support.logs import collected

SCOPE: dict[str, Any] = {"type": "lifespan"}
TRACEBACK = "Traceback (most recent call last): …"


class Application:
    """An application whose start fails as Litestar's does: it sends the traceback, then raises."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self._failure = failure
        self.scopes: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope["type"])
        if scope["type"] != "lifespan":
            return
        await receive()
        if self._failure is not None:
            await send({"type": "lifespan.startup.failed", "message": TRACEBACK})
            raise self._failure
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


def reporter(application: Application) -> StartupErrorReporter:
    return StartupErrorReporter(application, (StorageUnavailableError,), connection_limits=ConnectionLimits())


async def log_of(failure: BaseException) -> list[Any]:
    """Returns the messages that the server receives from a failed start."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(type(failure)):
        await reporter(Application(failure))(SCOPE, receive, send)
    return sent


async def test_expected_error_is_reported_with_its_own_message() -> None:
    expected = [{"type": "lifespan.startup.failed", "message": "The storage is unavailable. No database at db:5432"}]
    failure = StorageUnavailableError(hint="No database at db:5432")
    assert await log_of(failure) == expected
    assert await log_of(ExceptionGroup("tasks", [ValueError(), ExceptionGroup("inner", [failure])])) == expected


@pytest.mark.parametrize("failure", [ValueError("a bug"), ExceptionGroup("tasks", [ValueError("a bug")])])
async def test_unexpected_error_keeps_its_traceback(failure: Exception) -> None:
    assert await log_of(failure) == [{"type": "lifespan.startup.failed", "message": TRACEBACK}]


async def test_successful_start_and_other_messages_pass_through() -> None:
    application = Application()
    app = reporter(application)
    async with Lifespan(app):
        await app({"type": "http"}, asyncio.Event().wait, asyncio.sleep)  # type: ignore[arg-type]
    assert application.scopes == ["lifespan", "http"]


@pytest.mark.parametrize(("loaded", "warnings"), [(True, 0), (False, 1)])
async def test_start_without_the_guarding_protocol_is_warned_of(
    *, loaded: bool, warnings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "polyant.http.protocol"
    if loaded:
        monkeypatch.setitem(sys.modules, name, sys)
    else:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with collected("polyant.http") as records:
        async with Lifespan(reporter(Application())):
            pass
    assert len(records) == warnings
    assert all("--http polyant.http.protocol:HttpProtocol" in record.getMessage() for record in records)
