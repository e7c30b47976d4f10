"""Liveness and readiness."""

from polyant.domain.errors import StorageUnavailableError
from support.app import App


async def test_health_is_the_documented_object_with_the_current_time(app: App) -> None:
    expected = b'{"status":"ok","timestamp":"2026-11-22T10:44:01.500Z","service":"polyant"}'
    app.clock.advance(1.5)
    for target in ("/health", "/health/", "/health/ready"):
        response = await app.get(target)
        assert (response.status, response.body) == (200, expected)
        assert response.header("content-type") == "application/json"


async def test_server_without_its_database_is_alive_but_not_ready(app: App) -> None:
    app.storage_failure = StorageUnavailableError()
    refused = await app.get("/health/ready")
    assert refused.status == 503
    assert refused.body == b'{"statusCode":503,"message":"The database is unavailable","error":"Service Unavailable"}'
    assert refused.header("retry-after") == "1"
    assert (await app.get("/health")).status == 200
    app.storage_failure = None
    assert (await app.get("/health/ready")).status == 200
