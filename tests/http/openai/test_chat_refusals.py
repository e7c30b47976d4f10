"""Rejected chat requests, the order of the checks, and the responses to failed turns."""

from typing import Any

import msgspec
import pytest

from polyant.domain.errors import (
    PolyantError,
    ProviderError,
    ProviderFailure,
    SecretUnreadableError,
    StorageUnavailableError,
    TurnTimeoutError,
    UnavailableError,
)
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.http.app import HttpSettings
from support.app import App, chat_body, serving
from support.asgi import Lifespan
from support.envelopes import assert_refused
from support.scripted_supervisor import says
from support.sessions import session_token

KEY = "sk-of-the-locked-bot"


# The model and the key


async def test_unknown_model_is_401(app: App) -> None:
    assert_refused(await app.chat(model="no-such-bot"), 401, "Unknown model")


async def test_disabled_instance_is_an_unknown_model_even_with_its_key(app: App) -> None:
    await app.add("off-bot", active=False)
    await app.add("off-locked", active=False, key=KEY)
    assert_refused(await app.chat(model="off-bot"), 401, "Unknown model")
    assert_refused(await app.chat(model="off-locked", bearer=KEY), 401, "Unknown model")


async def test_instance_without_auth_ignores_the_header(app: App) -> None:
    for header in ("garbage", "Bearer wrong", "Basic Zm9vOmJhcg==", ""):
        assert (await app.post(chat_body(), authorization=header)).status == 200


@pytest.mark.parametrize(
    "header",
    [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER {KEY}", f"Bearer    {KEY}", f"  Bearer {KEY}  "],
)
async def test_correct_key_is_accepted_with_any_case_and_spaces_in_the_header(app: App, header: str) -> None:
    await app.add("locked-bot", key=KEY)
    assert (await app.post(chat_body("locked-bot"), authorization=header)).status == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "bearer    ", f"Basic {KEY}", KEY, f"Bearer{KEY}", f"Token {KEY}"]
)
async def test_missing_bearer_token_is_reported(app: App, header: str | None) -> None:
    await app.add("locked-bot", key=KEY)
    headers = {} if header is None else {"authorization": header}
    assert_refused(await app.post(chat_body("locked-bot"), **headers), 401, "Missing Bearer token")


@pytest.mark.parametrize(
    "bearer",
    ["wrong", KEY[:-1], KEY + "x", KEY.upper(), "sk-of-another-bot", f"{KEY} {KEY}", "\xe9\xff", session_token()],
)
async def test_wrong_key_and_session_are_rejected(app: App, bearer: str) -> None:
    await app.add("locked-bot", key=KEY)
    await app.add("another-bot", key="sk-of-another-bot")
    assert_refused(await app.chat(model="locked-bot", bearer=bearer), 401, "Invalid API key")
    assert app.supervisor.turns == []


async def test_instance_with_auth_but_no_key_rejects_every_request(app: App) -> None:
    await app.add("keyless-bot", auth_enabled=True)
    message = "Auth enabled but no API key configured"
    assert_refused(await app.chat(model="keyless-bot", bearer="any"), 401, message)
    assert_refused(await app.chat(model="keyless-bot"), 401, "Missing Bearer token")


async def test_key_that_cannot_be_decrypted_affects_only_its_instance(app: App) -> None:
    locked = await app.add("locked-bot", key=KEY)
    await app.repo.save(msgspec.structs.replace(locked, secrets=_corrupted(locked.secrets)))
    response = await app.chat(model="locked-bot", bearer=KEY)
    assert response.status == 503
    assert response.json["error"] == "Service Unavailable"
    assert (await app.chat()).status == 200


def _corrupted(secrets: Any) -> Any:
    return {name: msgspec.structs.replace(secret, sealed="v1.000000000000.AAAA") for name, secret in secrets.items()}


# The order of checks


async def test_rate_limit_is_checked_first() -> None:
    async with serving(rate_limit=RateLimit(1, 60)) as app:
        assert (await app.chat()).status == 200
        for body, content_type in ((b"{", "application/json"), (chat_body("no-such-bot"), "text/plain")):
            assert (await app.post(body, content_type=content_type)).status == 429


async def test_body_is_checked_before_the_model_and_the_model_before_the_key(app: App) -> None:
    await app.add("off-locked", active=False, key=KEY)
    assert (await app.chat(model="no-such-bot", messages=[])).status == 400
    assert_refused(await app.chat(model="off-locked"), 401, "Unknown model")


async def test_key_is_checked_before_the_turn_starts(app: App) -> None:
    await app.add("locked-bot", key=KEY)
    app.supervisor.plays(UnavailableError("There is no API key for the provider openai"))
    assert (await app.chat(model="locked-bot")).status == 401
    assert (await app.chat(model="locked-bot", bearer=KEY)).status == 503


# Turns that fail


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        (ProviderFailure.AUTH, 502, "The model provider failed to answer (openai: auth)"),
        (ProviderFailure.RATE_LIMIT, 502, "The model provider failed to answer (openai: rate_limit)"),
        (ProviderFailure.BAD_REQUEST, 502, "The model provider failed to answer (openai: bad_request)"),
        (ProviderFailure.OVERLOADED, 502, "The model provider failed to answer (openai: overloaded)"),
        (ProviderFailure.UNREACHABLE, 502, "The model provider failed to answer (openai: unreachable)"),
        (ProviderFailure.BAD_RESPONSE, 502, "The model provider failed to answer (openai: bad_response)"),
        (ProviderFailure.TIMEOUT, 504, "The model provider did not answer in time (openai: timeout)"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_provider_error_names_the_provider_and_forbids_retries(
    app: App, kind: ProviderFailure, status: int, message: str, *, stream: bool
) -> None:
    app.supervisor.plays(ProviderError("openai", kind))
    response = await app.chat(stream=stream)
    assert_refused(response, status, message)
    assert response.header("x-should-retry") == "false"


@pytest.mark.parametrize("stream", [False, True])
async def test_timed_out_turn_is_504(app: App, *, stream: bool) -> None:
    app.supervisor.plays(TurnTimeoutError())
    response = await app.chat(stream=stream)
    assert_refused(response, 504, "The turn did not finish in time")
    assert response.header("x-should-retry") == "false"


@pytest.mark.parametrize("error", [UnavailableError("No key for openai", hint="Set it"), SecretUnreadableError()])
async def test_unavailable_instance_is_503_and_allows_retries(app: App, error: PolyantError) -> None:
    app.supervisor.plays(error)
    response = await app.chat()
    assert_refused(response, 503, error.message)
    assert "x-should-retry" not in response.names
    assert "retry-after" not in response.names


async def test_unavailable_database_is_503_with_retry_after(app: App) -> None:
    app.supervisor.plays(StorageUnavailableError())
    response = await app.chat()
    assert_refused(response, 503, "The storage is unavailable")
    assert response.header("retry-after") == "1"


class BrokenRateLimiter(RateLimiter):
    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        raise StorageUnavailableError

    async def peek(self, key: str, limit: RateLimit) -> LimitState:
        raise StorageUnavailableError


async def test_unavailable_limiter_is_503() -> None:
    app = App(HttpSettings())
    app.rate_limiter = BrokenRateLimiter()
    async with Lifespan(app.asgi):
        assert_refused(await app.chat(), 503, "The storage is unavailable")


async def test_invalid_unicode_from_the_model_is_an_internal_error(app: App) -> None:
    app.supervisor.plays(*says("\ud800"))
    assert_refused(await app.chat(), 500, "Internal server error")
