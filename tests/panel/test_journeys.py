"""Journeys through the panel, in a real browser on a live server."""

import re
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import httpx
import openai
import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from panel.conftest import EMAIL, PASSWORD, Open, new_page, serving_panel, sign_in
from support.images import png
from support.openai_replies import openai_partial_stream, openai_responder
from support.process import Server
from support.upstream import Then, UpstreamThread

ATTACK = "{{7*7}}<img src=x onerror=alert(1)></textarea><script>alert(2)</script>"


def test_from_an_empty_database_to_an_answer(
    chromium: Browser, tmp_path: Path, empty_database_url: str, record_property: Callable[[str, object], None]
) -> None:
    contexts: list[BrowserContext] = []
    with serving_panel(tmp_path, DATABASE_URL=empty_database_url) as server:
        began = time.monotonic()
        page = new_page(chromium, contexts, server.url)
        page.goto("/")
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_role("link", name="New instance").click()
        expect(page.get_by_label("Name", exact=True)).to_be_focused()
        page.keyboard.type("Support Bot")
        page.get_by_text("Built-in demonstration").click()
        page.get_by_label("What should it be and do?").fill("You are Ada.")
        page.get_by_role("button", name="Create instance").click()
        key = page.get_by_label("API key for callers of support-bot").input_value()
        record_property("clicks", 3)
        record_property("seconds", round(time.monotonic() - began, 1))
        client = openai.OpenAI(base_url=server.base_url, api_key=key, max_retries=0)
        answer = client.chat.completions.create(model="support-bot", messages=[{"role": "user", "content": "Hello!"}])
        assert "Hello!" in (answer.choices[0].message.content or "")
        page.get_by_role("link", name="Try it in the playground").click()
        expect(page.get_by_label("Message", exact=True)).to_be_focused()
        page.keyboard.type("Hello again!")
        page.keyboard.press("Enter")
        expect(page.locator("article").last).to_contain_text("Hello again!")
        for context in contexts:
            context.close()


def create(open_page: Open, slug: str, *, provider: str = "scripted", base_url: str = "") -> Page:
    """Returns the page with the key of a new instance."""
    page = open_page("/create")
    page.get_by_label("Name", exact=True).fill(slug)
    page.locator(f"#p-{provider}").check()
    if base_url:
        page.get_by_text("Model, base URL, temperature").click()
        page.get_by_role("textbox", name="Base URL").fill(base_url)
    page.get_by_role("button", name="Create instance").click()
    expect(page.get_by_role("status").first).to_contain_text("has a new API key")
    return page


def test_key_can_be_copied_and_reloading_makes_no_second_one(open_page: Open) -> None:
    page = create(open_page, "copied")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    key = page.get_by_label("API key for callers of copied").input_value()
    page.get_by_role("button", name="Copy key").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.goto("/instances/copied/settings")
    page.get_by_role("button", name="Make a new key").click()
    expect(page.get_by_role("status").first).to_contain_text("has a new API key")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("This key was made already")


def test_revoking_asks_in_a_dialog_that_escape_closes(open_page: Open) -> None:
    create(open_page, "revoked")
    page = open_page("/instances/revoked/settings")
    page.get_by_text("Use a key of your own, or revoke").click()
    opener = page.get_by_role("link", name="Revoke the key…")
    opener.click()
    dialog = page.get_by_role("dialog", name="Revoke the key of revoked?")
    expect(dialog.get_by_role("link", name="Keep the key")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()
    opener.click()
    dialog.get_by_role("button", name="Revoke now").click()
    expect(page.get_by_role("status").first).to_contain_text("The key is revoked.")


def test_prompt_preview_follows_the_typing_and_unsaved_changes_are_guarded(open_page: Open) -> None:
    create(open_page, "prompted")
    page = open_page("/instances/prompted/prompts")
    expect(page.locator("#preview")).to_contain_text("You are prompted")
    page.get_by_label("6 · Memory").fill("Returns are free. {{datetime}} <b>")
    expect(page.locator("#preview")).to_contain_text("Returns are free. {{datetime}} <b>")
    expect(page.locator("[data-unsaved]")).to_have_text("Unsaved: 6 · Memory")
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.evaluate("location.assign('/instances')")
    page.wait_for_timeout(200)
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Save prompts").click()
    expect(page.get_by_role("status").first).to_contain_text("Prompts saved.")
    expect(page.get_by_label("6 · Memory")).to_have_value("Returns are free. {{datetime}} <b>")
    assert asked == ["beforeunload"]


def test_playground_streams_stops_and_shows_a_failure(open_page: Open, upstream: UpstreamThread) -> None:
    replies = upstream.upstream.replies
    create(open_page, "talker", provider="openai", base_url=f"{upstream.upstream.url}/v1")
    page = open_page("/instances/talker/playground")
    upstream.upstream.otherwise = openai_responder("<b>Good</b> day")
    say(page, "Hello!")
    answer = page.locator("article.turn").last
    expect(answer.locator(".says")).to_have_text("<b>Good</b> day")
    expect(answer).to_contain_text("1 model call")
    replies.append(openai_partial_stream("I will ", then=Then.HANG))
    say(page, "And then?")
    answer = page.locator("article.turn").last
    expect(answer.locator(".says")).to_have_text("I will ")
    page.get_by_role("button", name="Stop").click()
    expect(answer).to_contain_text("You stopped this answer.")
    replies.append(openai_partial_stream("Half an ", then=Then.CUT))
    say(page, "Once more")
    answer = page.locator("article.turn").last
    expect(answer.locator(".says")).to_have_text("Half an ")
    expect(answer).to_contain_text("The response was interrupted: The model provider failed to answer")
    answer.get_by_role("button", name="Try again").click()
    expect(page.locator("article.turn").last.locator(".says")).to_have_text("<b>Good</b> day")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()


def test_playground_attaches_images_and_records_nothing(
    open_page: Open, upstream: UpstreamThread, tmp_path: Path
) -> None:
    create(open_page, "seeing", provider="openai", base_url=f"{upstream.upstream.url}/v1")
    expect(open_page("/instances/seeing/playground").get_by_role("button", name="Attach image")).to_have_count(0)
    page = open_page("/instances/seeing/settings")
    page.get_by_label("Images").select_option("on")
    page.get_by_role("button", name="Save settings").click()
    expect(page.get_by_role("status").first).to_contain_text("Settings saved.")
    upstream.upstream.otherwise = openai_responder("A blue dot")
    page = open_page("/instances/seeing/playground")
    for name in ("dot.png", "dropped.png"):
        (tmp_path / name).write_bytes(png())
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach image").click()
    chooser.value.set_files([tmp_path / "dot.png", tmp_path / "dropped.png"])
    page.get_by_role("button", name="Remove dropped.png").click()
    expect(page.get_by_role("list", name="Attached images").get_by_role("img")).to_have_count(1)
    seen = len(upstream.upstream.posts)
    say(page, "What is this?")
    expect(page.locator("article.turn").last.locator(".says")).to_have_text("A blue dot")
    sent = page.locator("article.user").last.get_by_role("img", name="dot.png")
    expect(sent).to_be_visible()
    assert sent.evaluate("image => image.naturalWidth") == 3
    expect(page.get_by_role("list", name="Attached images")).to_be_hidden()
    expect(page.get_by_role("region", name="Request", exact=True)).to_contain_text("data:image/png;base64,")
    text, image = upstream.upstream.posts[seen].json()["messages"][-1]["content"]
    assert text["text"] == "What is this?"
    assert b64decode(image["image_url"]["url"].partition(",")[2]) == png()


def test_long_chat_scrolls_while_the_reader_is_at_its_end(open_page: Open, upstream: UpstreamThread) -> None:
    create(open_page, "lengthy", provider="openai", base_url=f"{upstream.upstream.url}/v1")
    page = open_page("/instances/lengthy/playground", viewport={"width": 1280, "height": 800})
    expect(page.get_by_role("link", name="Try it")).to_have_count(0)
    chat, rest = page.locator("#chat"), "chat => chat.scrollHeight - chat.scrollTop - chat.clientHeight"
    upstream.upstream.otherwise = openai_responder("A line.\n" * 20)
    for number in range(2):
        say(page, f"Message {number}\n" + "A line.\n" * 20)
        expect(page.locator(".figures")).to_have_count(number + 1)
    assert chat.evaluate(rest) < 40
    expect(page.get_by_label("Message", exact=True)).to_be_in_viewport()
    upstream.upstream.replies.append(openai_partial_stream("I will ", then=Then.HANG))
    say(page, "And then?")
    expect(page.locator("article.turn").last.locator(".says")).to_have_text("I will ")
    assert chat.evaluate(rest) < 40
    chat.evaluate("chat => chat.scrollTo(0, 0)")
    page.get_by_role("button", name="Stop").click()
    expect(chat).to_contain_text("You stopped this answer.")
    assert chat.evaluate("chat => chat.scrollTop") == 0


def test_answer_is_copied_without_a_clipboard(open_page: Open) -> None:
    create(open_page, "plainly")
    page = open_page("/instances/plainly/playground")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    say(page, "Copy this")
    page.locator(".figures").get_by_role("button", name="Copy").click()
    expect(page.locator(".figures").get_by_role("button", name="Copied")).to_be_visible()
    assert "Copy this" in page.evaluate("getSelection().toString()")


def test_playground_offers_a_sign_in_that_keeps_the_conversation(open_page: Open) -> None:
    create(open_page, "signed-out")
    page = open_page("/instances/signed-out/playground")
    page.context.clear_cookies()
    say(page, "Am I still signed in?")
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Sign in in a new tab").click()
    popup.value.get_by_label("Email").fill(EMAIL)
    popup.value.get_by_label("Password").fill(PASSWORD)
    popup.value.get_by_role("button", name="Sign in").click()
    popup.value.wait_for_url("**/instances")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".figures")).to_have_count(1)


def test_values_that_were_not_saved_are_guarded(open_page: Open) -> None:
    create(open_page, "guarded")
    page = open_page("/instances/guarded/settings")
    page.get_by_label("Temperature").fill("9")
    page.get_by_role("button", name="Save settings").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator("[data-unsaved]")).to_have_text("Not saved yet")
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.get_by_role("link", name="Overview").click(no_wait_after=True)
    expect(page.get_by_label("Temperature")).to_have_value("9")
    assert asked == ["beforeunload"]


def say(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")


def test_session_that_ends_in_mid_edit_loses_nothing_typed(open_page: Open) -> None:
    create(open_page, "kept")
    page = open_page("/instances/kept/prompts")
    page.get_by_label("2 · Soul").fill("Typed before the end")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save prompts").click()
    expect(page.get_by_role("heading", name="Your session is over")).to_be_visible()
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in and continue").click()
    expect(page.get_by_role("status").first).to_contain_text("Nothing is saved yet")
    expect(page.get_by_label("2 · Soul")).to_have_value("Typed before the end")
    page.get_by_role("button", name="Save prompts").click()
    expect(page.get_by_role("status").first).to_contain_text("Prompts saved.")


def test_conflict_of_two_browsers_overwrites_nothing_unasked(open_page: Open) -> None:
    create(open_page, "shared")
    mine, theirs = (open_page("/instances/shared/settings") for _ in range(2))
    for page, name in ((theirs, "Theirs"), (mine, "Mine")):
        page.locator("#name").fill(name)
        page.get_by_role("button", name="Save settings").click()
    expect(mine.get_by_role("alert")).to_contain_text("nothing of theirs was overwritten")
    expect(mine.get_by_role("alert")).to_contain_text("Theirs")
    expect(mine.locator("#name")).to_have_value("Mine")
    mine.get_by_role("button", name="Save mine over theirs").click()
    expect(mine.get_by_role("heading", level=1)).to_have_text("Mine")


def test_attacks_in_fields_run_nothing(open_page: Open) -> None:
    page = open_page("/create")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.get_by_label("Name", exact=True).fill(ATTACK)
    page.get_by_label("Slug").fill("attacked")
    page.get_by_label("What should it be and do?").fill(ATTACK)
    page.get_by_role("button", name="Create instance").click()
    for path in ("", "/settings", "/prompts", "/playground", "/audit", "/delete", "/key/revoke"):
        page.goto(f"/instances/attacked{path}")
        expect(page.locator("img")).to_have_count(0)
        assert ATTACK[:20] in page.inner_text("body") or path == "/prompts"
    say_page = open_page("/instances/attacked/playground")
    say_page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    say(say_page, ATTACK)
    expect(say_page.locator("article.turn").last).to_contain_text("onerror=alert(1)")


def test_everything_but_the_playground_works_without_javascript(open_page: Open) -> None:
    page = open_page("/create", java_script_enabled=False)
    page.get_by_label("Name", exact=True).fill("plain")
    page.get_by_role("button", name="Create instance").click()
    expect(page.get_by_label("API key for callers of plain")).to_have_value(re.compile("sk-"))
    page.goto("/instances/plain/settings")
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_role("button", name="Save settings").click()
    expect(page.get_by_label("Temperature")).to_have_value("0.5")
    page.get_by_text("Use a key of your own, or revoke").click()
    page.get_by_role("link", name="Revoke the key…").click()
    page.get_by_role("button", name="Revoke now").click()
    expect(page.get_by_role("status").first).to_contain_text("The key is revoked.")
    page.goto("/instances/plain/prompts")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("You are plain")
    page.goto("/instances/plain/playground")
    expect(page.get_by_text("The playground needs JavaScript.")).to_be_visible()


def test_keyboard_alone_makes_an_instance(open_page: Open) -> None:
    page = open_page("/instances")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Import")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="New instance")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("keyed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("keyed has a new API key")


def test_wrong_passwords_are_refused_then_throttled(chromium: Browser, tmp_path: Path) -> None:
    contexts: list[BrowserContext] = []
    with serving_panel(tmp_path) as server:
        page = new_page(chromium, contexts, server.url)
        page.goto("/login")
        for _ in range(5):
            page.get_by_label("Email").fill(EMAIL)
            page.get_by_label("Password").fill("wrong")
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("alert")).to_contain_text("Wrong email or password.")
            expect(page.get_by_label("Email")).to_have_value(EMAIL)
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("main")).to_contain_text(re.compile(r"Try again in \d+ seconds"))
        contexts[0].close()


def test_user_sees_no_page_of_superadmins(
    open_page: Open, chromium: Browser, server: Server, record_property: Callable[[str, object], None]
) -> None:
    page = open_page("/users")
    page.get_by_label("Email").fill("user@example.com")
    page.get_by_label("First password").fill(PASSWORD)
    page.get_by_role("button", name="Create user").click()
    expect(page.get_by_role("status").first).to_contain_text("User created.")
    page.get_by_role("link", name="Edit user@example.com").click()
    path = page.url.removeprefix(server.url)
    contexts: list[BrowserContext] = []
    other = new_page(chromium, contexts, server.url)
    sign_in(other, server.url, email="user@example.com")
    expect(other.get_by_role("link", name="Users")).to_have_count(0)
    for hidden in ("/users", path, f"{path}/delete"):
        response = other.goto(hidden)
        assert response is not None
        assert response.status == 403
    contexts[0].close()


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
def test_forms_of_other_origins_are_refused(server: Server, session: object, origin: str | None) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in session["cookies"]}  # type: ignore[index]
    headers = {} if origin is None else {"Origin": origin}
    for path in ("/create", "/logout", "/instances/demo-bot/delete"):
        response = httpx.post(f"{server.url}{path}", data={"name": "x"}, cookies=cookies, headers=headers)
        assert response.status_code == 403
