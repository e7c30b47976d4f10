"""The common shape of all errors, and the details that responses must not contain."""

import logging
from http import HTTPStatus

import pytest

from polyant.domain.errors import (
    AuthenticationError,
    ConflictError,
    InstanceChangedError,
    InstanceExistsError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    PolyantError,
    ProviderError,
    ProviderFailure,
    RateLimitedError,
    SecretUnreadableError,
    ServerBusyError,
    ServerShuttingDownError,
    StorageUnavailableError,
    TurnTimeoutError,
    UnavailableError,
    UnknownInstanceError,
    UnknownModelError,
)
from polyant.http.errors import body_of, status_of
from polyant.http.record import RequestRecord
from support.app import App
from support.logs import fields_of


class UnmappedError(PolyantError):
    """A domain error without a mapping to a status."""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInputError("x"), 400),
        (AuthenticationError("x"), 401),
        (UnknownModelError(), 401),
        (PermissionDeniedError("x"), 403),
        (NotFoundError("x"), 404),
        (UnknownInstanceError(), 404),
        (ConflictError("x"), 409),
        (InstanceExistsError("a"), 409),
        (InstanceChangedError("a"), 412),
        (RateLimitedError(retry_after=1), 429),
        (ProviderError("openai", ProviderFailure.AUTH), 502),
        (ProviderError("openai", ProviderFailure.TIMEOUT), 504),
        (TurnTimeoutError(), 504),
        (UnavailableError("x"), 503),
        (SecretUnreadableError(), 503),
        (StorageUnavailableError(), 503),
        (ServerBusyError(), 503),
        (ServerShuttingDownError(), 503),
        (UnmappedError("x"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_domain_error_has_its_status(error: PolyantError, status: int) -> None:
    assert status_of(error) == status


def test_domain_error_shows_its_message_and_the_standard_phrase() -> None:
    record = RequestRecord("id")
    body = body_of(InstanceExistsError("demo-bot"), record)
    assert (body.statusCode, body.message, body.error) == (409, "Instance 'demo-bot' already exists", "Conflict")
    assert record.error == "Instance 'demo-bot' already exists"


def test_hint_is_logged_and_appended_to_the_message_for_managers() -> None:
    error = UnavailableError("No API key", hint="Set OPENAI_API_KEY")
    record = RequestRecord("id")
    assert body_of(error, record).message == "No API key"
    assert (record.error, record.hint) == ("No API key", "Set OPENAI_API_KEY")
    record.shows_hints = True
    assert body_of(error, record).message == "No API key. Set OPENAI_API_KEY"


@pytest.mark.parametrize("error", [UnmappedError("sk-secret"), KeyError("sk-secret"), RecursionError("sk-secret")])
async def test_unexpected_error_is_a_500_without_details_and_is_logged_with_its_request_id(
    app: App, error: Exception, error_log: list[logging.LogRecord], access_log: list[logging.LogRecord]
) -> None:
    app.supervisor.plays(error)
    response = await app.chat()
    assert response.status == 500
    assert response.body == b'{"statusCode":500,"message":"Internal server error","error":"Internal Server Error"}'
    assert response.header("content-type") == "application/json"
    (logged,) = error_log
    assert logged.exc_info is not None
    assert logged.exc_info[1] is error
    assert fields_of(logged) == {"request_id": response.header("x-request-id")}
    (access,) = access_log
    assert fields_of(access)["error"] == type(error).__name__
    assert "sk-secret" not in str(fields_of(access))


async def test_unexpected_error_outside_the_turn_is_a_500(app: App) -> None:
    app.storage_failure = ZeroDivisionError("sk-secret")
    response = await app.get("/health/ready")
    assert response.body == b'{"statusCode":500,"message":"Internal server error","error":"Internal Server Error"}'


@pytest.mark.parametrize(
    ("method", "target", "message"),
    [
        ("GET", "/", "Cannot GET /"),
        ("GET", "/v1", "Cannot GET /v1"),
        ("GET", "/nowhere", "Cannot GET /nowhere"),
        ("POST", "/v1/embeddings", "Cannot POST /v1/embeddings"),
        ("GET", "/v1/chat/completions", "Cannot GET /v1/chat/completions"),
        ("PUT", "/v1/chat/completions", "Cannot PUT /v1/chat/completions"),
        ("PATCH", "/v1/chat/completions", "Cannot PATCH /v1/chat/completions"),
        ("DELETE", "/v1/models/demo-bot", "Cannot DELETE /v1/models/demo-bot"),
        ("POST", "/v1/models", "Cannot POST /v1/models"),
        ("POST", "/health", "Cannot POST /health"),
        ("OPTIONS", "/v1/chat/completions", "Cannot OPTIONS /v1/chat/completions"),
        ("OPTIONS", "/nowhere", "Cannot OPTIONS /nowhere"),
        ("TRACE", "/v1/models", "Cannot TRACE /v1/models"),
        ("GET", "/nowhere?api_key=sk-secret", "Cannot GET /nowhere"),
        ("GET", "/a%20b%2Fc/%e2%82%ac", "Cannot GET /a%20b%2Fc/%e2%82%ac"),
        ("GET", "/v1/models/a/b", "Cannot GET /v1/models/a/b"),
        ("GET", '/"quoted"\\', 'Cannot GET /"quoted"\\'),
        ("GET", "/\xe9", "Cannot GET /\\xe9"),
    ],
)
async def test_unknown_path_or_method_is_404_with_method_and_path_but_no_query(
    app: App, method: str, target: str, message: str
) -> None:
    response = await app.request(method, target, body=b"{}", headers={"content-type": "application/json"})
    assert response.status == 404
    assert response.header("content-type") == "application/json"
    assert list(response.json.items()) == [("statusCode", 404), ("message", message), ("error", "Not Found")]


async def test_head_of_an_unknown_path_is_404(app: App) -> None:
    assert (await app.request("HEAD", "/nowhere")).status == 404
    assert (await app.request("HEAD", "/v1/chat/completions")).status == 404


async def test_error_field_is_the_standard_phrase_of_the_status(app: App) -> None:
    for response in (await app.get("/nowhere"), await app.get("/v1/models"), await app.post(b"{")):
        assert response.json["error"] == HTTPStatus(response.status).phrase
