"""/api/instances/{slug}/secrets over HTTP."""

from datetime import datetime
from typing import Any

import pytest

from support.api import Api
from support.envelopes import assert_refused

PATH = "/instances/bot/secrets"
VALUE = "a-value-that-never-comes-back"


def named(key: str, value: str = VALUE) -> dict[str, Any]:
    return {"secrets": [{"key": key, "value": value}]}


async def test_usable_secrets_are_listed_before_they_are_set(api: Api) -> None:
    nothing = {"configured": False, "updatedAt": None, "origin": None, "expiresAt": None}
    expected = [{"key": key, **nothing} for key in ("auth_api_key", "vendor_api_key")]
    assert (await api.get(PATH)).json == {"secrets": expected}


async def test_stored_secret_shows_its_time_and_origin_but_never_its_value(api: Api) -> None:
    response = await api.put(PATH, named("vendor_api_key"))
    stored = next(each for each in response.json["secrets"] if each["key"] == "vendor_api_key")
    assert (stored["configured"], stored["origin"]) == (True, "https://api.vendor.example:443")
    assert datetime.fromisoformat(stored["updatedAt"]) == api.app.management.clock.now()
    for path in (PATH, "/instances/bot", "/instances/bot/export", "/instances/bot/tools", "/audit"):
        assert VALUE.encode() not in (await api.get(path)).body


async def test_several_secrets_are_stored_and_others_stay(api: Api) -> None:
    await api.succeed("PUT", PATH, named("one_token"))
    many = {"secrets": [{"key": "two_token", "value": "2"}, {"key": "one_token", "value": "new"}]}
    await api.succeed("PUT", PATH, many)
    listed = {each["key"]: each["configured"] for each in (await api.get(PATH)).json["secrets"]}
    assert listed == {"auth_api_key": False, "one_token": True, "two_token": True, "vendor_api_key": False}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("No Name", VALUE, "A secret name must be"),
        ("vendor_api_key", "two words", "The value of vendor_api_key must be 8 to 512 visible ASCII"),
        ("one_token", "", "Expected `str` of length >= 1 - at `$.secrets[1].value`"),
        ("one_token", "\0", "A secret must have 1 to 16384 characters"),
        ("auth_api_key_previous", VALUE, "auth_api_key_previous can't be set directly"),
        ("good_token", VALUE, "Secret good_token is given more than once"),
    ],
)
async def test_invalid_secret_prevents_all_changes(api: Api, key: str, value: str, message: str) -> None:
    body = {"secrets": [{"key": "good_token", "value": VALUE}, {"key": key, "value": value}]}
    response = await api.put(PATH, body)
    assert (response.status, response.json["message"][: len(message)]) == (400, message)
    assert VALUE.encode() not in response.body
    assert not any(each["configured"] for each in (await api.get(PATH)).json["secrets"])


async def test_deleted_secret_is_not_found(api: Api) -> None:
    await api.succeed("PUT", PATH, named("one_token"))
    assert (await api.delete(f"{PATH}/one_token")).json == {"deleted": True}
    assert_refused(await api.delete(f"{PATH}/one_token"), 404, "Instance 'bot' has no secret one_token")
    assert (await api.delete(f"{PATH}/%00")).status == 404
