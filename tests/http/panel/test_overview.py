"""The overview of an instance: examples, turns, and the switch between active and disabled."""

from datetime import timedelta

from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Slug
from polyant.domain.turn_records import TurnOutcome, TurnRecord
from support.app import App
from support.panel import Browser, location, read


async def test_overview_shows_how_to_call_the_instance(app: App, browser: Browser) -> None:
    await app.add("bot", key="sk-0123456789abcdef")
    shown = await browser.page("/instances/bot")
    assert "http://panel.example/v1" in shown.text
    assert 'os.environ["BOT_KEY"]' in shown.text
    assert 'api_key="none"' in (await browser.page("/instances/demo-bot")).text


async def test_turns_are_shown_newest_first(app: App, browser: Browser) -> None:
    assert "No turns yet." in (await browser.page("/instances/demo-bot")).text
    await app.chat()
    shown = await browser.page("/instances/demo-bot")
    assert "1–1 of 1" in shown.text
    assert "Finished" in shown.text


async def test_disabled_instance_refuses_callers_until_it_is_enabled(app: App, browser: Browser) -> None:
    assert location(await browser.post("/instances/demo-bot/disable", {})) == "/instances/demo-bot?done=disabled"
    assert (await app.chat()).status == 401
    assert "callers are refused" in (await browser.page("/instances/demo-bot?done=disabled")).text
    assert location(await browser.post("/instances/demo-bot/enable", {})) == "/instances/demo-bot?done=enabled"
    assert (await app.chat()).status == 200


async def test_unknown_instance_is_named(browser: Browser) -> None:
    for slug in ("nobody", "No Slug", "<b>"):
        response = await browser.get(f"/instances/{slug}")
        assert response.status == 404
        assert f"There is no instance called {slug}." in read(response).text


async def test_failed_turn_says_why(app: App, browser: Browser) -> None:
    app.supervisor.plays(UnavailableError("The instance <b> has no key", hint="Set one"))
    await app.chat()
    assert "The instance <b> has no key. Set one" in (await browser.page("/instances/demo-bot")).text


async def test_figures_of_24_hours_are_shown(app: App, browser: Browser) -> None:
    assert "Median time" not in (await browser.page("/instances/demo-bot")).text
    for minutes, milliseconds in ((1, 100.0), (2, 1_400.0), (3, 9_000.0), (24 * 60 + 1, 77_000.0)):
        app.management.turn_log.note(
            TurnRecord(
                slug=Slug("demo-bot"),
                request_id="r",
                at=app.management.clock.now() - timedelta(minutes=minutes),
                outcome=TurnOutcome.FINISHED,
                milliseconds=milliseconds,
                prompt_tokens=1_000,
                completion_tokens=10,
            )
        )
    text = " ".join((await browser.page("/instances/demo-bot")).text.split())
    assert "Median time1.4 s" in text
    assert "Tokens3,000 in, 30 out" in text


async def test_page_of_failed_turns_has_at_most_20_kb(app: App, browser: Browser) -> None:
    for _ in range(10):
        app.supervisor.plays(UnavailableError("The model's server said: <&> " * 50))
        await app.chat()
    response = await browser.get("/instances/demo-bot")
    assert read(response).text.count("Failed") >= 10
    assert len(response.body) <= 20_000
