"""The key of an instance's callers, and its other secrets."""

import re

import pytest

from polyant.domain.instances import Slug
from support.app import App
from support.asgi import Response
from support.panel import Browser, location, read

KEY = "/instances/demo-bot/key"
SECRETS = "/instances/demo-bot/secrets"
SETTINGS = "/instances/demo-bot/settings"


async def replaces(browser: Browser) -> str:
    return (await browser.page(SETTINGS)).values["replaces"]


def key_in(response: Response) -> str:
    found = re.search(rb'value="(sk-[^"]+)"', response.body)
    assert found is not None
    return found[1].decode()


async def test_key_is_shown_once_and_works(app: App, browser: Browser) -> None:
    assert location(await browser.get(KEY)) == f"{SETTINGS}#key"
    response = await browser.post(KEY, {"replaces": await replaces(browser)})
    assert (response.status, response.header("cache-control")) == (200, "no-store")
    assert (await app.chat(bearer=key_in(response))).status == 200
    assert (await app.chat()).status == 401
    assert key_in(response) not in (await browser.get(SETTINGS)).body.decode()


async def test_reloading_makes_no_second_key(app: App, browser: Browser) -> None:
    form = {"replaces": await replaces(browser)}
    key = key_in(await browser.post(KEY, form))
    again = await browser.post(KEY, form)
    assert again.status == 409
    assert "This key was made already and can’t be shown again." in read(again).text
    assert (await app.chat(bearer=key)).status == 200


async def test_replaced_key_works_for_the_overlap_period(app: App, browser: Browser) -> None:
    old = key_in(await browser.post(KEY, {"replaces": await replaces(browser)}))
    app.management.clock.advance(1)
    response = await browser.post(KEY, {"replaces": await replaces(browser), "grace": "3600"})
    assert "The old key works until" in read(response).text
    assert [(await app.chat(bearer=key)).status for key in (old, key_in(response))] == [200, 200]


async def test_own_key_is_stored_and_not_shown(app: App, browser: Browser) -> None:
    own = {"replaces": await replaces(browser), "secret.own": "our-own-key-for-callers"}
    response = await browser.post(KEY, own)
    assert response.status == 200
    assert b"our-own-key-for-callers" not in response.body
    assert (await app.chat(bearer="our-own-key-for-callers")).status == 200
    short = await browser.post(KEY, {"replaces": await replaces(browser), "secret.own": "short"})
    assert short.status == 400
    assert "The value of auth_api_key must be" in read(short).text


async def test_revoked_key_lets_nobody_in(app: App, browser: Browser) -> None:
    key = key_in(await browser.post(KEY, {"replaces": await replaces(browser)}))
    assert "Revoke the key of" in (await browser.page(f"{KEY}/revoke")).text
    await browser.post(f"{KEY}/revoke", {"draft": "1"})
    assert (await app.chat(bearer=key)).status == 200
    for _ in range(2):
        assert location(await browser.post(f"{KEY}/revoke", {})) == f"{SETTINGS}?done=revoked#key"
    assert (await app.chat(bearer=key)).status == 401


async def test_draft_of_a_key_makes_none(browser: Browser) -> None:
    response = await browser.post(KEY, {"replaces": "", "draft": "1"})
    assert response.status == 200
    assert await replaces(browser) == ""


async def test_secret_is_stored_replaced_and_removed(app: App, browser: Browser) -> None:
    add = {"secret_name": "crm_token", "secret.value": "hidden-value"}
    assert location(await browser.post(SECRETS, add)) == f"{SETTINGS}?done=secret#secrets"
    page = await browser.get(SETTINGS)
    assert b"crm_token" in page.body
    assert b"hidden-value" not in page.body
    assert "Replace crm_token" in (await browser.page(f"{SECRETS}/crm_token")).text
    await browser.post(f"{SECRETS}/crm_token", {"secret.value": "another"})
    stored = await app.repo.get(Slug("demo-bot"))
    assert stored is not None
    secret = stored.secrets[next(iter(stored.secrets))]
    assert (await app.cipher.open(secret.sealed, stored.address_of(secret))).reveal() == "another"
    assert "Remove crm_token from" in (await browser.page(f"{SECRETS}/crm_token/remove")).text
    await browser.post(f"{SECRETS}/crm_token/remove", {"draft": "1"})
    assert b"Remove crm_token" in (await browser.get(SETTINGS)).body
    for _ in range(2):
        location(await browser.post(f"{SECRETS}/crm_token/remove", {}))
    assert b"Remove crm_token" not in (await browser.get(SETTINGS)).body


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"secret_name": "No Name", "secret.value": "hidden-value"}, "A secret name must be"),
        ({"secret_name": "auth_api_key", "secret.value": "hidden-value-0123"}, "This name belongs to the key"),
        ({"secret_name": "crm_token", "secret.value": ""}, "The value is missing"),
        ({"secret_name": "crm_key", "secret.value": "hidden value"}, "The value of crm_key must be"),
    ],
)
async def test_invalid_secret_is_refused(browser: Browser, fields: dict[str, str], error: str) -> None:
    response = await browser.post(SECRETS, fields)
    assert response.status == 400
    assert error in read(response).text
    assert b"hidden" not in response.body
    assert read(response).values["secret_name"] == fields["secret_name"]
