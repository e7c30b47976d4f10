"""The conversations of an instance in the panel."""

from urllib.parse import quote

import pytest

from polyant.domain.instances import Instance
from support.app import App
from support.management import PASSWORD
from support.panel import Browser, location, read

KEY = "sk-0123456789abcdef"
PAGE = "/instances/bot/conversations"


@pytest.fixture
async def bot(app: App) -> Instance:
    """An instance with one conversation."""
    instance = await app.add("bot", key=KEY, conversations=True)
    await app.chat(bearer=KEY, model="bot", text="<b>Secret</b>\nof Ann", chat_id="one", user="ann")
    return instance


async def id_of(app: App, instance: Instance) -> str:
    (history,) = await app.management.conversations.histories(instance.id)
    return history.conversation.id


async def test_list_shows_metadata_and_says_that_texts_are_not_searched(
    app: App, browser: Browser, bot: Instance
) -> None:
    shown = await browser.page(PAGE)
    assert "ann" in shown.text
    assert (await id_of(app, bot))[:12] in shown.text
    assert "texts are encrypted and can’t be searched" in shown.text
    assert "Secret" not in shown.text
    assert "No conversations match." in (await browser.page(f"{PAGE}?search=Secret")).text
    assert "No conversations match." in (await browser.page(f"{PAGE}?channel=api&user=bob")).text
    assert "ann" in (await browser.page(f"{PAGE}?channel=api&user=ann")).text
    assert "Choose the channel too" in (await browser.page(f"{PAGE}?user=ann")).text


async def test_instance_without_conversations_says_how_to_keep_them(browser: Browser) -> None:
    shown = (await browser.page("/instances/demo-bot/conversations")).text
    assert "This assistant keeps no conversations" in shown
    assert "No conversations yet. A message from a channel starts one." in shown


async def test_transcript_shows_texts_tokens_and_times_to_a_superadmin(
    app: App, browser: Browser, bot: Instance
) -> None:
    response = await browser.get(f"{PAGE}/{await id_of(app, bot)}")
    assert b"&lt;b&gt;Secret&lt;/b&gt;\nof Ann" in response.body
    shown = read(response).text
    assert "Hello!" in shown
    assert "About" in shown
    assert "tokens" in shown
    assert "UTC" in shown
    assert (await app.management.audit_entries())[-1][1] == "conversation.read"
    assert "Read the conversation" in (await browser.page("/instances/bot/audit")).text


async def test_long_conversation_is_shown_in_bounded_parts(app: App, browser: Browser, bot: Instance) -> None:
    page = f"{PAGE}/{await id_of(app, bot)}"
    for number in range(30):
        await app.chat(bearer=KEY, model="bot", text=f"Question {number}.", chat_id="one", user="ann")
    first = await browser.get(page)
    assert "12 earlier messages. Show more" in read(first).text
    assert "Question 4." not in read(first).text
    assert "Question 5." in read(first).text
    assert len(first.body) <= 20 * 1024
    shown = (await browser.page(f"{page}?newest=200")).text
    assert "Secret" in shown
    assert "earlier" not in shown


@pytest.mark.parametrize("newest", ["", "0", "-1", "9" * 5_000, "\u0665\u0660", "x"])
async def test_unusual_number_of_messages_is_harmless(app: App, browser: Browser, bot: Instance, newest: str) -> None:
    assert "of Ann" in (await browser.page(f"{PAGE}/{await id_of(app, bot)}?newest={quote(newest)}")).text


async def test_very_long_text_is_cut_and_exported_whole(app: App, browser: Browser, bot: Instance) -> None:
    await app.chat(bearer=KEY, model="bot", text="x" * 100_000 + "THE END", chat_id="one", user="ann")
    page = f"{PAGE}/{await id_of(app, bot)}"
    response = await browser.get(page)
    assert len(response.body) <= 20 * 1024
    assert "100,007 characters. The export has all of them." in read(response).text
    assert b"THE END" in (await browser.get(f"/api{page}/export")).body


async def test_page_reads_a_bounded_amount_of_text(app: App, browser: Browser, bot: Instance) -> None:
    for number in range(3):
        await app.chat(bearer=KEY, model="bot", text=f"Text {number}: " + "x" * 1_200_000, chat_id="one", user="ann")
    page = f"{PAGE}/{await id_of(app, bot)}"
    shown = (await browser.page(page)).text
    assert "5 earlier messages. The export has all of them." in shown
    assert "Show more" not in shown
    assert "Text 2:" in shown
    assert "Text 1:" not in shown
    assert b"Text 0:" in (await browser.get(f"/api{page}/export")).body


async def test_transcript_hides_texts_from_others(app: App, browser: Browser, bot: Instance) -> None:
    await app.management.add_user("eve@example.com", password=PASSWORD)
    user = Browser(app)
    await user.sign_in("eve@example.com")
    response = await user.get(f"{PAGE}/{await id_of(app, bot)}")
    assert response.status == 200
    assert b"Secret" not in response.body
    assert b"/export" not in response.body
    assert "Superadmins read the texts." in read(response).text


async def test_conversation_is_deleted_after_a_question(app: App, browser: Browser, bot: Instance) -> None:
    page = f"{PAGE}/{await id_of(app, bot)}"
    assert "Earlier backups still contain them." in (await browser.page(f"{page}/delete")).text
    await browser.post(f"{page}/delete", {"draft": "1"})
    assert len(await app.management.conversations.histories(bot.id)) == 1
    for _ in range(2):  # the second time, it is gone already
        assert location(await browser.post(f"{page}/delete", {})) == f"{PAGE}?done=conversation-deleted"
    assert await app.management.conversations.histories(bot.id) == []
    assert (await browser.get(page)).status == 404
