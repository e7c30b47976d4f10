"""The status of the server, its data and its providers."""

import html
from datetime import datetime, timedelta

from polyant.domain.errors import ProviderFailure
from polyant.domain.instances import Slug
from polyant.domain.limits import RateLimit
from polyant.domain.turn_records import TurnOutcome, TurnRecord
from support.api import Api
from support.app import App, serving
from support.management import PASSWORD
from support.panel import Browser, location


async def test_status_shows_server_data_and_limits(browser: Browser) -> None:
    text = " ".join((await browser.page("/status")).text.split())
    assert "http://panel.example/v1" in text
    assert "1, 1 of them active" in text
    assert "0 of 1,000 in this worker" in text
    assert "No limit" in text
    assert "Not checked since the server started" in text
    async with serving(panel=True, rate_limit=RateLimit(20, 60), public_url="https://bots.example.com") as app:
        await app.management.add_user(password=PASSWORD)
        other = Browser(app)
        await other.sign_in()
        text = " ".join((await other.page("/status")).text.split())
        assert "20 in 60 seconds for each client address" in text
        assert "https://bots.example.com/v1" in text


async def test_providers_are_checked_on_demand(app: App, browser: Browser) -> None:
    assert location(await browser.post("/status/check", {"draft": "1"})) == "/status#providers"
    assert "Answered" not in (await browser.page("/status")).text
    assert location(await browser.post("/status/check", {})) == "/status#providers"
    assert "Answered" in (await browser.page("/status")).text
    app.management.models["vendor"].problem = ProviderFailure.UNREACHABLE
    await browser.post("/status/check", {})
    text = (await browser.page("/status")).text
    assert "Not reached" in text
    assert "failed to answer" in text
    assert html.escape(ProviderFailure.UNREACHABLE.hint) in text


async def test_api_checks_providers(app: App) -> None:
    app.management.models["vendor"].problem = ProviderFailure.UNREACHABLE
    api = Api(app, await app.management.issue_token(await app.management.add_user()))
    checks = {each["name"]: each["problem"] for each in (await api.succeed("POST", "/providers/check"))["checks"]}
    assert checks["echo"] is None
    assert checks["vendor"].endswith(ProviderFailure.UNREACHABLE.hint)


async def test_last_turn_of_a_provider_is_shown_and_listed(app: App, browser: Browser) -> None:
    at = app.clock.now() - timedelta(minutes=3)
    for outcome, minutes in ((TurnOutcome.FINISHED, 9), (TurnOutcome.TIMED_OUT, 3)):
        app.management.turn_log.note(
            TurnRecord(
                slug=Slug("bot"),
                request_id="r",
                at=app.clock.now() - timedelta(minutes=minutes),
                outcome=outcome,
                milliseconds=1,
                provider="vendor",
            )
        )
    text = " ".join((await browser.page("/status")).text.split())
    assert "Timed out 3 min ago" in text
    assert "None lately" in text
    api = Api(app, await app.management.issue_token(await app.management.add_user("api@example.com")))
    providers = {each["name"]: each["lastTurn"] for each in (await api.succeed("GET", "/providers"))["providers"]}
    assert providers["echo"] is None
    assert providers["vendor"]["outcome"] == "timed_out"
    assert datetime.fromisoformat(providers["vendor"]["at"]) == at
