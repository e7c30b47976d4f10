"""The rules of request bodies and query parameters, on every route."""

import logging

import pytest

from polyant.http.app import describe
from support.api import Api
from support.app import App, serving
from support.envelopes import assert_refused

WRITES = [
    (
        method.upper(),
        path.replace("{slug}", "bot").replace("{user_id}", "0" * 32).replace("{channel}", "fake").removeprefix("/api"),
    )
    for path, methods in describe().document["paths"].items()
    for method, operation in methods.items()
    if "requestBody" in operation and path.startswith("/api/")
]

ERRORS = {
    b"": "The body is empty: send a JSON object",
    b"{": "Input data was truncated",
    b'{"a": "\xff"}': "The body is not valid UTF-8",
    b'"text"': "Expected `object",
}


def test_writes_cover_every_route_with_a_body() -> None:
    assert len(WRITES) == 17


async def test_body_that_is_not_a_json_object_is_rejected_with_the_reason(api: Api, admin: Api) -> None:
    for method, path in WRITES:
        for body, message in ERRORS.items():
            client = admin if path.startswith("/users") else api
            response = await client(method, path, body)
            if body or not path.endswith("/keys"):  # the only route whose body is optional
                assert_refused(response, 400, response.json["message"])
                assert response.json["message"].startswith(message.partition(",")[0]), (method, path, response.body)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_body_without_a_json_content_type_is_rejected(api: Api, content_type: str) -> None:
    response = await api.patch("/instances/bot", {"name": "B"}, content_type=content_type)
    assert_refused(response, 400, "The body must be JSON: send Content-Type: application/json")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/merge-patch+json"])
async def test_any_json_content_type_is_accepted(api: Api, content_type: str) -> None:
    assert (await api.patch("/instances/bot", {"name": "B"}, content_type=content_type)).status == 200


async def test_too_large_body_is_rejected() -> None:
    async with serving(max_body_bytes=1_024) as app:
        api = Api(app, await app.management.add_user_token())
        message = "request entity too large. MAX_BODY_BYTES limits the whole body, images included"
        assert_refused(await api.patch("/instances/demo-bot", {"name": "B" * 1_024}), 413, message)


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/instances/bot"), ("POST", "/instances/bot/playground")])
async def test_disconnect_during_the_body_changes_nothing_and_is_not_an_error(
    app: App, api: Api, error_log: list[logging.LogRecord], method: str, path: str
) -> None:
    headers = {"authorization": f"Bearer {api.token}", "content-type": "application/json"}
    exchange = app.start(method, f"/api{path}", body=b'{"name": "B"', headers=headers, complete=False)
    exchange.disconnect()
    await exchange.over()
    assert error_log == []
    assert app.supervisor.turns == []
    assert (await api.get("/instances/bot")).json["instance"]["name"] == "Bot"


async def test_unknown_parameter_is_rejected_on_every_route(api: Api, admin: Api) -> None:
    for path, methods in describe().document["paths"].items():
        filled = (
            path.replace("{slug}", "bot")
            .replace("{user_id}", "0" * 32)
            .replace("{channel}", "fake")
            .removeprefix("/api")
        )
        for method, operation in methods.items() if path.startswith("/api/") else ():
            names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
            client = admin if path.startswith("/api/users") else api
            response = await client(method.upper(), f"{filled}?surprise=1")
            there_are = ", ".join(sorted(names)) or "none"
            assert_refused(response, 400, f"Unknown parameter; allowed: {there_are} - at `surprise`")


async def test_mistyped_parameter_replaces_no_key(api: Api) -> None:
    await api.succeed("POST", "/instances/bot/keys", {"key": "sk-of-our-own-choice"})
    assert_refused(
        await api.post("/instances/bot/keys?graceSecond=60"),
        400,
        "Unknown parameter; allowed: graceSeconds - at `graceSecond`",
    )
    assert (await api.app.chat(model="bot", bearer="sk-of-our-own-choice")).status == 200


async def test_unauthenticated_caller_learns_nothing_about_parameters(app: App) -> None:
    assert_refused(await Api(app, None).get("/instances?surprise=1"), 401, "Missing authentication")
