"""The hint of an error is visible to operators in the log and to managers under /api only."""

from collections.abc import AsyncIterator

import pytest

from polyant.domain.chat import TextDelta
from polyant.domain.errors import PolyantError, SecretUnreadableError, StorageUnavailableError, UnavailableError
from support.api import Api
from support.app import App, serving
from support.envelopes import assert_refused
from support.logs import collected, fields_of
from support.scripted_supervisor import Step

HINT = "Set OPENAI_API_KEY (polyant secrets set bot openai_api_key)"
MESSAGE = "No API key for the provider openai"
ERRORS = [UnavailableError(MESSAGE, hint=HINT), StorageUnavailableError(hint=HINT), SecretUnreadableError(hint=HINT)]
PLAYGROUND = "/instances/demo-bot/playground"
ASKING = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hi"}]}
LOGIN = {"email": "ada@example.com", "password": "a password of somebody"}

each_error = pytest.mark.parametrize("error", ERRORS, ids=[type(error).__name__ for error in ERRORS])
each_form = pytest.mark.parametrize(
    ("stream", "begun"),
    [
        pytest.param(False, False, id="whole"),
        pytest.param(True, False, id="stream that has not begun"),
        pytest.param(True, True, id="stream that has begun"),
    ],
)


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with serving() as app:
        yield app


@pytest.fixture
async def api(app: App) -> Api:
    return Api(app, await app.management.add_user_token())


def steps(error: PolyantError, *, begun: bool) -> tuple[Step, ...]:
    return (TextDelta("Well"), error) if begun else (error,)


@each_error
@each_form
async def test_caller_of_v1_sees_the_message_and_only_the_log_has_the_hint(
    app: App, error: PolyantError, *, stream: bool, begun: bool
) -> None:
    app.supervisor.plays(*steps(error, begun=begun))
    with collected("polyant.access") as records:
        response = await app.chat(stream=stream)
    assert error.message.encode() in response.body
    assert HINT.encode() not in response.body
    fields = fields_of(records[-1])
    assert (fields["error"], fields["hint"]) == (error.message, HINT)


@each_error
@each_form
async def test_manager_sees_message_and_hint_in_the_playground(
    app: App, api: Api, error: PolyantError, *, stream: bool, begun: bool
) -> None:
    app.supervisor.plays(*steps(error, begun=begun))
    response = await api.post(PLAYGROUND, {**ASKING, "stream": stream})
    assert f"{error.message}. {HINT}".encode() in response.body


async def test_manager_sees_message_and_hint_under_api(app: App, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise StorageUnavailableError(hint="Cannot use PostgreSQL at db.internal")

    monkeypatch.setattr(app.repo, "list", fail)
    response = await api.get("/instances")
    assert_refused(response, 503, "The storage is unavailable. Cannot use PostgreSQL at db.internal")


async def test_unauthenticated_caller_sees_no_hint(app: App, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StorageUnavailableError(hint="Cannot use PostgreSQL at db.internal")

    monkeypatch.setattr(app.management.users, "find", fail)
    assert_refused(await Api(app, None).post("/auth/login", LOGIN), 503, "The storage is unavailable")
    monkeypatch.setattr(app.management.sessions, "user_of", fail)
    assert_refused(await api.get("/instances"), 503, "The storage is unavailable")
    app.storage_failure = StorageUnavailableError(hint="Cannot use PostgreSQL at db.internal")
    assert_refused(await app.get("/health/ready"), 503, "The storage is unavailable")


async def test_request_without_an_error_has_no_hint_in_its_log_line(app: App) -> None:
    with collected("polyant.access") as records:
        await app.chat()
    assert "hint" not in fields_of(records[-1])


async def test_rejected_host_is_logged_with_a_hint(app: App) -> None:
    with collected("polyant.access") as records:
        response = await app.request("GET", "/health", headers={"host": "evil.example"}, server=("127.0.0.1", 4000))
    assert_refused(response, 403, "This server does not answer to that Host")
    assert fields_of(records[-1])["hint"] == "Add the host name to ALLOWED_HOSTS"


async def test_cross_site_write_is_logged_with_a_hint(app: App, api: Api) -> None:
    cookie = {"cookie": f"polyant_session={api.token}", "origin": "https://evil.example"}
    with collected("polyant.access") as records:
        response = await Api(app, None).patch("/instances/demo-bot", {"name": "x"}, **cookie)
    assert response.status == 403
    assert "TRUST_PROXY" not in response.json["message"]
    assert "TRUST_PROXY" in fields_of(records[-1])["hint"]
