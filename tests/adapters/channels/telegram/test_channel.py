from collections.abc import AsyncIterator

import pytest

from polyant.domain.channel_events import MediaKind, MediaReference, Peer
from polyant.domain.channel_info import ChannelRefusedError, ChannelUnreachableError, PullConflictError, SetUp, TearDown
from polyant.domain.channel_sends import Chunk, MediaUnavailable, Moved, NotSent, Progress, Sent
from support.scripted_telegram import refusal, success
from support.telegram_rig import ACCOUNT, SECRET, TelegramRig, telegram_rig
from support.upstream import DROP, Reply

CHAT = Peer("4711")
GROUP = Peer("-1001")


@pytest.fixture
async def rig() -> AsyncIterator[TelegramRig]:
    async with telegram_rig() as rig:
        yield rig


async def send(rig: TelegramRig, text: str = "hi", **fields: str | None) -> object:
    return await rig.channel.send(ACCOUNT, Chunk(peer=CHAT, text=text, **fields))


async def test_markdown_becomes_entities(rig: TelegramRig) -> None:
    await send(rig, "🙂 **bold** and `code`")
    (message,) = rig.telegram.messages.values()
    assert message.text == "🙂 bold and code"
    assert message.entities == [
        {"type": "bold", "offset": 3, "length": 4},
        {"type": "code", "offset": 12, "length": 4},
    ]


async def test_formatting_is_dropped_only_when_refused(rig: TelegramRig) -> None:
    rig.telegram.refuses_entities = True
    assert isinstance(await send(rig, "**bold**"), Sent)
    assert rig.telegram.calls == ["sendMessage", "sendMessage"]
    assert rig.telegram.texts("4711") == ["**bold**"]


async def test_text_that_grows_by_formatting_is_sent_plain(rig: TelegramRig) -> None:
    table = "| a | b |\n|---|---|\n" + "| x |  |\n" * 200 + f"| {'y' * 60} |  |"
    assert isinstance(await send(rig, table), Sent)
    assert rig.telegram.texts("4711") == [table]


async def test_topic_is_kept_except_for_the_general_one(rig: TelegramRig) -> None:
    for thread in ("7", "1"):
        await rig.channel.send(ACCOUNT, Chunk(peer=Peer("-1001", thread), text="hi"))
        await rig.channel.show_progress(ACCOUNT, Progress(peer=Peer("-1001", thread)))
    assert [message.thread for message in rig.telegram.messages.values()] == [7, None]
    assert [action["message_thread_id"] for action in rig.telegram.actions] == [7, 1]


async def test_moved_group_is_reported(rig: TelegramRig) -> None:
    moved = refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1005)
    rig.telegram.fault("sendMessage", moved)
    outcome = await rig.channel.send(ACCOUNT, Chunk(peer=Peer("-5", "7"), text="**hi**"))
    assert outcome == Moved(Peer("-1005", "7"))
    assert rig.telegram.calls == ["sendMessage"]


async def test_drafts_in_private_chats_are_ephemeral(rig: TelegramRig) -> None:
    progress = Progress(peer=CHAT, message_id="5", text="So far")
    assert await rig.channel.show_progress(ACCOUNT, progress) is None
    assert rig.telegram.drafts == ["So far"]
    assert rig.telegram.messages == {}


async def test_long_drafts_are_cut(rig: TelegramRig) -> None:
    await rig.channel.show_progress(ACCOUNT, Progress(peer=CHAT, message_id="5", text="🙂" * 3_000))
    assert rig.telegram.drafts == ["🙂" * 2_048]


async def test_edited_draft_becomes_the_answer(rig: TelegramRig) -> None:
    draft = await rig.channel.show_progress(ACCOUNT, Progress(peer=GROUP, private=False, text="So"))
    outcome = await rig.channel.send(ACCOUNT, Chunk(peer=GROUP, text="**So** far", replaces=draft))
    assert outcome == Sent(str(draft))
    assert rig.telegram.texts("-1001") == ["So far"]


async def test_answer_that_equals_its_draft_is_sent(rig: TelegramRig) -> None:
    draft = await rig.channel.show_progress(ACCOUNT, Progress(peer=GROUP, private=False, text="Same"))
    assert await rig.channel.send(ACCOUNT, Chunk(peer=GROUP, text="Same", replaces=draft)) == Sent(str(draft))
    assert rig.telegram.texts("-1001") == ["Same"]


async def test_answer_is_sent_if_its_draft_was_deleted(rig: TelegramRig) -> None:
    outcome = await rig.channel.send(ACCOUNT, Chunk(peer=GROUP, text="**hi**", replaces="999"))
    assert isinstance(outcome, Sent)
    assert rig.telegram.texts("-1001") == ["hi"]


@pytest.mark.parametrize("fault", [DROP, Reply(status=502), refusal(429, "Too Many Requests", retry_after=3)])
async def test_edit_that_fails_can_be_repeated(rig: TelegramRig, fault: Reply) -> None:
    draft = await rig.channel.show_progress(ACCOUNT, Progress(peer=GROUP, private=False, text="So"))
    rig.telegram.fault("editMessageText", fault)
    chunk = Chunk(peer=GROUP, text="So far", replaces=draft)
    assert isinstance(await rig.channel.send(ACCOUNT, chunk), NotSent)
    assert await rig.channel.send(ACCOUNT, chunk) == Sent(str(draft))
    assert rig.telegram.texts("-1001") == ["So far"]


async def test_webhook_is_set_with_its_secret_and_deleted(rig: TelegramRig) -> None:
    await rig.channel.check(ACCOUNT, SetUp("https://bots.example/channels/telegram/x"))
    assert rig.telegram.webhook["url"] == "https://bots.example/channels/telegram/x"
    assert rig.telegram.webhook["secret_token"] == SECRET
    await rig.channel.check(ACCOUNT)
    assert rig.telegram.webhook["url"]
    await rig.channel.check(ACCOUNT, TearDown("https://bots.example/channels/telegram/x"))
    assert rig.telegram.webhook == {"url": ""}
    await rig.channel.check(ACCOUNT, SetUp("https://bots.example/channels/telegram/x"))
    await rig.channel.check(ACCOUNT, SetUp(None))
    assert rig.telegram.webhook == {"url": ""}


async def test_webhook_of_another_server_stays(rig: TelegramRig) -> None:
    webhook = "https://new.example/channels/telegram/x"
    await rig.channel.check(ACCOUNT, SetUp(webhook))
    state = await rig.channel.check(ACCOUNT, TearDown("https://old.example/channels/telegram/x"))
    assert state.problems == (f"Telegram calls another webhook than that of this server, which stays: {webhook}",)
    assert rig.telegram.webhook["url"] == webhook


async def test_refused_webhook_is_explained(rig: TelegramRig) -> None:
    with pytest.raises(ChannelRefusedError, match="an https url must be provided"):
        await rig.channel.check(ACCOUNT, SetUp("http://bots.example/channels/telegram/x"))


async def test_failing_webhook_is_a_problem(rig: TelegramRig) -> None:
    rig.telegram.webhook_error = "Wrong response from the webhook: 401 Unauthorized"
    rig.telegram.deliver(rig.telegram.update(text="hi"))
    (problem,) = (await rig.channel.check(ACCOUNT)).problems
    assert "401 Unauthorized" in problem
    assert "2026-05-28" in problem
    assert "1 updates are waiting" in problem


async def test_two_pollers_conflict(rig: TelegramRig) -> None:
    rig.telegram.fault("getUpdates", refusal(409, "Conflict: terminated by other getUpdates request"))
    async with rig.channel.pull(ACCOUNT) as source:
        with pytest.raises(PullConflictError):
            await source.receive(0.2)


@pytest.mark.parametrize(
    "reply",
    [refusal(429, "Too Many Requests", retry_after=9), success("text"), success([1]), Reply(pieces=(b"<html>",))],
)
async def test_strange_response_to_polling_is_an_outage(rig: TelegramRig, reply: Reply) -> None:
    rig.telegram.fault("getUpdates", reply)
    async with rig.channel.pull(ACCOUNT) as source:
        with pytest.raises(ChannelUnreachableError):
            await source.receive(0.2)


async def test_polling_passes_a_strange_update(rig: TelegramRig) -> None:
    strange = rig.telegram.update(text=7)
    rig.telegram.deliver(strange, rig.telegram.update(text="hi"))
    async with rig.channel.pull(ACCOUNT) as source:
        batch = await source.receive(5)
        assert [event.text for event in batch.events] == ["hi"]
        assert batch.ignored == 1
        assert (await source.receive(0.2)).events == ()


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/../../b"])
async def test_path_outside_the_files_is_refused(rig: TelegramRig, path: str) -> None:
    rig.telegram.paths["evil"] = path
    media = MediaReference(id="evil", kind=MediaKind.IMAGE)
    assert await rig.channel.fetch(ACCOUNT, media, max_bytes=10) == MediaUnavailable("gone")


async def test_redirect_to_another_host_is_not_followed(rig: TelegramRig) -> None:
    file_id = rig.telegram.add_file(b"x")
    rig.telegram.fault("file", Reply(status=302, headers={"Location": "http://127.0.0.1:9/secret"}))
    media = MediaReference(id=file_id, kind=MediaKind.IMAGE)
    assert await rig.channel.fetch(ACCOUNT, media, max_bytes=10) == MediaUnavailable("refused")


async def test_content_that_can_not_be_watched_is_unavailable(rig: TelegramRig) -> None:
    media = MediaReference(id="", kind=MediaKind.OTHER)
    assert await rig.channel.fetch(ACCOUNT, media, max_bytes=10) == MediaUnavailable("refused")
    assert rig.telegram.calls == []
