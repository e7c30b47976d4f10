"""/api/instances/{slug}/keys over HTTP, and what it does at /v1."""

import pytest

from support.api import Api
from support.app import App
from support.envelopes import assert_refused

PATH = "/instances/bot/keys"


async def status(app: App, key: str | None) -> int:
    """Returns the status of a chat request with the key."""
    return (await app.chat(model="bot", bearer=key)).status


async def test_key_is_shown_once_and_no_other_key_is_accepted(app: App, api: Api) -> None:
    assert await status(app, None) == 200
    response = await api.post(PATH)
    assert (response.status, list(response.json)) == (201, ["key"])
    key = response.json["key"]
    assert key.startswith("sk-")
    assert [await status(app, bearer) for bearer in (key, None, api.token)] == [200, 401, 401]
    shown = (await api.get("/instances/bot")).json["instance"]
    assert (shown["authEnabled"], shown["hasAuthKey"]) == (True, True)
    for path in ("/instances/bot", "/instances/bot/secrets", "/audit"):
        assert key.encode() not in (await api.get(path)).body


async def test_given_key_is_stored_and_not_shown_again(app: App, api: Api) -> None:
    response = await api.post(PATH, {"key": "sk-of-our-own-choice"})
    assert (response.status, response.json) == (201, {"key": None})
    assert await status(app, "sk-of-our-own-choice") == 200


async def test_auth_stays_unchanged_if_requested(app: App, api: Api) -> None:
    key = (await api.post(PATH, {"keepOpen": True})).json["key"]
    assert [await status(app, bearer) for bearer in (key, None)] == [200, 200]
    assert (await api.patch("/instances/bot", {"authEnabled": True})).status == 200
    assert [await status(app, bearer) for bearer in (key, None)] == [200, 401]


async def test_new_key_replaces_the_old_one_at_once_or_after_the_overlap_period(app: App, api: Api) -> None:
    first, second = [(await api.post(PATH)).json["key"] for _ in range(2)]
    assert [await status(app, key) for key in (first, second)] == [401, 200]
    app.clock.advance((app.management.clock.now() - app.clock.now()).total_seconds())  # both clocks show the same time
    third = (await api.post(f"{PATH}?graceSeconds=60")).json["key"]
    assert [await status(app, key) for key in (first, second, third)] == [401, 200, 200]
    app.clock.advance(60)
    assert [await status(app, key) for key in (second, third)] == [401, 200]


async def test_revoked_keys_are_rejected_and_auth_stays_on(app: App, api: Api) -> None:
    keys = [(await api.post(f"{PATH}?graceSeconds=600")).json["key"] for _ in range(2)]
    assert (await api.delete(PATH)).json == {"deleted": True}
    for key in keys:
        assert_refused(await app.chat(model="bot", bearer=key), 401, "Auth enabled but no API key configured")
    assert (await api.delete(PATH)).status == 404


@pytest.mark.parametrize(
    ("query", "body", "message"),
    [
        ("?graceSeconds=-1", {}, "Expected `int` >= 0 - at `graceSeconds`"),
        ("?graceSeconds=2592001", {}, "Expected `int` <= 2592000 - at `graceSeconds`"),
        ("?graceSeconds=soon", {}, "Expected `int`, got `str` - at `graceSeconds`"),
        ("", {"key": "short"}, "The value of auth_api_key must be 16 to 512 visible ASCII characters without spaces"),
        ("", {"key": 5}, "Expected `str | null`, got `int` - at `$.key`"),
        ("", {"value": "sk-of-our-own"}, "Object contains unknown field `value`"),
    ],
)
async def test_invalid_key_is_not_stored(api: Api, query: str, body: dict[str, object], message: str) -> None:
    assert_refused(await api.post(f"{PATH}{query}", body), 400, message)
    assert (await api.get("/instances/bot")).json["instance"]["hasAuthKey"] is False
