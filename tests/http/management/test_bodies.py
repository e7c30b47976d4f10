"""What a body has to be, on every route that takes one, and which parameters a route has."""

import logging

import pytest

from polyant.http.app import describe
from support.api import Api
from support.app import App, serving
from support.envelopes import assert_refused

WRITES = [
    (method.upper(), path.replace("{slug}", "bot").replace("{user_id}", "0" * 32).removeprefix("/api"))
    for path, methods in describe().document["paths"].items()
    for method, operation in methods.items()
    if "requestBody" in operation and path.startswith("/api/")
]

FAULTS = {
    b"": "The body is empty: send a JSON object",
    b"{": "Input data was truncated",
    b'{"a": "\xff"}': "The body is not valid UTF-8",
    b'"text"': "Expected `object",
}


def test_every_kind_of_write_is_here() -> None:
    assert len(WRITES) == 13


async def test_body_that_is_no_json_object_is_refused_and_said_why(api: Api, admin: Api) -> None:
    for method, path in WRITES:
        for body, message in FAULTS.items():
            client = admin if path.startswith("/users") else api
            response = await client(method, path, body)
            if body or not path.endswith("/keys"):  # the one that may come without a body
                assert_refused(response, 400, response.json["message"])
                assert response.json["message"].startswith(message.partition(",")[0]), (method, path, response.body)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_body_that_does_not_say_that_it_is_json_is_refused(api: Api, content_type: str) -> None:
    response = await api.patch("/instances/bot", {"name": "B"}, content_type=content_type)
    assert_refused(response, 400, "The body must be JSON: send Content-Type: application/json")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/merge-patch+json"])
async def test_body_may_say_it_in_other_words(api: Api, content_type: str) -> None:
    assert (await api.patch("/instances/bot", {"name": "B"}, content_type=content_type)).status == 200


async def test_large_body_is_refused() -> None:
    async with serving(max_body_bytes=1_024) as app:
        api = Api(app, await app.management.add_user_token())
        assert_refused(await api.patch("/instances/demo-bot", {"name": "B" * 1_024}), 413, "request entity too large")


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/instances/bot"), ("POST", "/instances/bot/playground")])
async def test_client_that_breaks_off_changes_nothing_and_is_no_fault(
    app: App, api: Api, fault_log: list[logging.LogRecord], method: str, path: str
) -> None:
    headers = {"authorization": f"Bearer {api.token}", "content-type": "application/json"}
    exchange = app.start(method, f"/api{path}", body=b'{"name": "B"', headers=headers, complete=False)
    exchange.disconnect()
    await exchange.over()
    assert fault_log == []
    assert app.supervisor.turns == []
    assert (await api.get("/instances/bot")).json["instance"]["name"] == "Bot"


async def test_parameter_that_a_route_does_not_have_is_refused_on_every_route(api: Api, admin: Api) -> None:
    for path, methods in describe().document["paths"].items():
        filled = path.replace("{slug}", "bot").replace("{user_id}", "0" * 32).removeprefix("/api")
        for method, operation in methods.items() if path.startswith("/api/") else ():
            names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
            client = admin if path.startswith("/api/users") else api
            response = await client(method.upper(), f"{filled}?surprise=1")
            there_are = ", ".join(sorted(names)) or "none"
            assert_refused(response, 400, f"Unknown parameter; allowed: {there_are} - at `surprise`")


async def test_mistyped_grace_replaces_no_key(api: Api) -> None:
    await api.succeed("POST", "/instances/bot/keys", {"key": "sk-of-our-own-choice"})
    assert_refused(
        await api.post("/instances/bot/keys?graceSecond=60"),
        400,
        "Unknown parameter; allowed: graceSeconds - at `graceSecond`",
    )
    assert (await api.app.chat(model="bot", bearer="sk-of-our-own-choice")).status == 200


async def test_stranger_hears_nothing_of_parameters(app: App) -> None:
    assert_refused(await Api(app, None).get("/instances?surprise=1"), 401, "Missing authentication")
