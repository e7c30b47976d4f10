"""/api/instances/{slug}/conversations over HTTP."""

from typing import Any

import pytest

from polyant.domain.chat import UserMessage
from polyant.domain.conversations import (
    API_CHANNEL,
    ConversationFilter,
    ConversationSelection,
    History,
    LaneId,
    MessageId,
    TurnId,
)
from polyant.domain.instances import Instance
from polyant.domain.lanes import Lane, LaneKind
from support.api import Api
from support.app import App
from support.asgi import Exchange
from support.envelopes import assert_refused
from support.scripted_supervisor import TOOL_FINISHED, TOOL_STARTED, says

KEY = "sk-0123456789abcdef"
BOT = "/instances/chatty"
PATH = f"{BOT}/conversations"


@pytest.fixture
async def bot(app: App) -> Instance:
    """An instance with the conversations of two users."""
    instance = await app.add("chatty", key=KEY, conversations=True)
    await app.chat(bearer=KEY, model="chatty", text="Secret of Ann", chat_id="one", user="ann")
    app.management.clock.advance(60)
    app.supervisor.plays(TOOL_STARTED, TOOL_FINISHED, *says("42"))
    await app.chat(bearer=KEY, model="chatty", text="Secret of Bob", chat_id="two", user="bob")
    return instance


async def listed(api: Api, query: str = "") -> list[str | None]:
    found = await api.succeed("GET", f"{PATH}{query}")
    assert found["total"] == len(found["conversations"])
    return [each["user"] for each in found["conversations"]]


async def id_of(api: Api, user: str) -> str:
    (found,) = (await api.succeed("GET", f"{PATH}?channel=api&user={user}"))["conversations"]
    return str(found["id"])


async def test_conversations_are_listed_by_their_metadata(api: Api, bot: Instance) -> None:
    response = await api.get(PATH)
    newest, oldest = response.json["conversations"]
    assert (newest["user"], oldest["user"]) == ("bob", "ann")
    assert (newest["channel"], newest["messages"], newest["unanswered"]) == ("api", 2, 0)
    assert (newest["clientManaged"], newest["updatedAt"] > oldest["updatedAt"]) == (False, True)
    assert b"Secret" not in response.body


async def test_list_is_filtered_and_paged(api: Api, bot: Instance) -> None:
    conversation = await id_of(api, "ann")
    assert await listed(api, "?channel=api&user=ann") == ["ann"]
    assert await listed(api, "?channel=telegram") == []
    assert await listed(api, "?search=calculate") == ["bob"]
    assert await listed(api, f"?search={conversation[:10]}") == ["ann"]
    assert await listed(api, "?search=Secret") == [], "texts aren't searched"
    first = await api.succeed("GET", f"{PATH}?limit=1&offset=1")
    assert (first["total"], [each["user"] for each in first["conversations"]]) == (2, ["ann"])
    bound = (await api.succeed("GET", f"{PATH}?limit=1"))["conversations"][0]["updatedAt"]
    assert await listed(api, f"?since={bound}") == ["bob"]
    assert await listed(api, f"?until={bound}") == ["ann"]
    assert_refused(
        await api.get(f"{PATH}?user=ann"),
        400,
        "user requires channel, because the id of a user belongs to a channel",
    )


async def test_users_see_metadata_and_superadmins_texts(app: App, api: Api, admin: Api, bot: Instance) -> None:
    conversation = await id_of(api, "bob")
    hidden = await api.get(f"{PATH}/{conversation}")
    assert (hidden.json["readable"], b"Secret" in hidden.body) == (False, False)
    assert [message["text"] for message in hidden.json["transcript"]] == [None, None]
    assert (await app.management.audit_entries())[-1][1] != "conversation.read"
    shown = await admin.succeed("GET", f"{PATH}/{conversation}")
    question, answer = shown["transcript"]
    assert (question["role"], question["text"], answer["role"], answer["text"]) == (
        *("user", "Secret of Bob"),
        *("assistant", "42"),
    )
    assert (answer["tools"], answer["answered"], answer["tokens"] > 0) == (["calculate"], True, True)
    assert question["turn"] == answer["turn"]
    assert (await app.management.audit_entries())[-1] == (
        *("boss@example.com", "conversation.read", "chatty", None),
        (conversation,),
    )


async def test_users_read_texts_if_the_instance_says_so(api: Api, admin: Api, bot: Instance) -> None:
    conversation = await id_of(api, "ann")
    message = "Only a superadmin may read the texts of this instance's conversations"
    assert_refused(await api.get(f"{PATH}/{conversation}/export"), 403, message)
    await admin.succeed("PATCH", BOT, {"transcripts": "users"})
    assert (await api.succeed("GET", f"{PATH}/{conversation}"))["transcript"][0]["text"] == "Secret of Ann"
    exported = await api.get(f"{PATH}/{conversation}/export")
    assert exported.header("content-disposition") == f'attachment; filename="conversation-{conversation}.json"'
    assert exported.json["transcript"][1]["text"] == "Hello!"


async def test_export_is_recorded(app: App, admin: Api, bot: Instance) -> None:
    conversation = await id_of(admin, "ann")
    await admin.succeed("GET", f"{PATH}/{conversation}/export")
    assert (await app.management.audit_entries())[-1][1] == "conversation.export"


async def test_one_conversation_is_deleted(app: App, api: Api, bot: Instance) -> None:
    conversation = await id_of(api, "ann")
    assert await api.succeed("DELETE", f"{PATH}/{conversation}") == {
        "deleted": True,
        "conversations": 1,
        "messages": 2,
    }
    assert await listed(api) == ["bob"]
    assert (await app.management.audit_entries())[-1][1:] == ("conversation.delete", "chatty", None, (conversation,))
    assert_refused(await api.delete(f"{PATH}/{conversation}"), 404, "Unknown conversation")
    assert_refused(await api.get(f"{PATH}/{conversation}"), 404, "Unknown conversation")


async def test_all_of_a_user_and_all_of_an_instance_are_deleted(app: App, api: Api, bot: Instance) -> None:
    for query in ("?user=ann", "?channel=api"):
        assert_refused(await api.delete(f"{PATH}{query}"), 400, "channel and user require each other")
    assert (await api.succeed("DELETE", f"{PATH}?channel=api&user=ann"))["conversations"] == 1
    assert await listed(api) == ["bob"]
    entry = (await app.management.audit_entries())[-1]
    assert entry[1:] == ("conversation.delete_user", "chatty", None, ("api",)), "the user isn't named"
    assert (await api.succeed("DELETE", PATH))["messages"] == 2
    assert await listed(api) == []
    assert (await app.management.audit_entries())[-1][1] == "conversation.delete_all"


async def test_conversations_of_another_instance_are_unknown(app: App, api: Api, admin: Api, bot: Instance) -> None:
    conversation = await id_of(api, "ann")
    other = f"/instances/demo-bot/conversations/{conversation}"
    for response in (await admin.get(other), await admin.get(f"{other}/export"), await admin.delete(other)):
        assert_refused(response, 404, "Unknown conversation")
    await api.succeed("DELETE", "/instances/demo-bot/conversations")
    assert len(await listed(api)) == 2


@pytest.mark.parametrize("conversation", ["nope", "x" * 200, "%00", "..", "a b"])
async def test_unknown_conversation_is_reported(api: Api, bot: Instance, conversation: str) -> None:
    assert (await api.get(f"{PATH}/{conversation}")).status == 404


async def test_deleted_instance_leaves_no_conversations(app: App, api: Api, bot: Instance) -> None:
    await api.succeed("DELETE", BOT)
    assert await app.management.conversations.histories(bot.id) == []


async def test_unreadable_texts_are_null(app: App, admin: Api, bot: Instance) -> None:
    tables = app.management.conversations.memory.conversations
    ann, bob = await id_of(admin, "ann"), await id_of(admin, "bob")
    keys = {str(each.id): each.data_key for each in tables.conversations.values()}
    tables.conversations = {
        name: each.__class__(**{**{f: getattr(each, f) for f in each.__struct_fields__}, "data_key": keys[ann]})
        for name, each in tables.conversations.items()
    }
    shown = await admin.succeed("GET", f"{PATH}/{bob}")
    assert [message["text"] for message in shown["transcript"]] == [None, None]
    assert await listed(admin) == [None, "ann"]


async def with_more_messages(app: App, bot: Instance, count: int) -> str:
    """Adds messages to the conversation of Ann, and returns its id."""
    stored = app.management.conversations
    page = await stored.repo.list(ConversationFilter(instance=bot.id), limit=9)
    conversation = page.conversations[-1]
    opened, now = await stored.keys.open(conversation), app.management.clock.now()
    messages = [
        opened.stored(UserMessage.of(f"More {n}"), message_id=MessageId(f"m-{n}"), turn=TurnId(f"t-{n}"), at=now)
        for n in range(count)
    ]
    await stored.repo.append(conversation.id, messages)
    return conversation.id


async def blocked_read(admin: Api, path: str) -> Exchange:
    """Returns a response that has begun, to a client that doesn't read it yet."""
    exchange = admin.app.start("GET", f"/api{path}", headers={"authorization": f"Bearer {admin.token}"})
    exchange.writable.clear()
    await exchange.blocked.wait()
    return exchange


async def test_long_conversation_is_returned_whole(app: App, admin: Api, bot: Instance) -> None:
    conversation = await with_more_messages(app, bot, 450)
    for path in (f"{PATH}/{conversation}", f"{PATH}/{conversation}/export"):
        transcript = (await admin.succeed("GET", path))["transcript"]
        assert [each["text"] for each in transcript[2:]] == [f"More {number}" for number in range(450)]
        assert len(transcript) == 452


async def test_conversation_without_messages_has_an_empty_transcript(app: App, admin: Api, bot: Instance) -> None:
    stored = app.management.conversations
    lane = Lane(id=LaneId("empty"), kind=LaneKind.API, instance=bot.id, channel=API_CHANNEL)
    opened = await stored.keys.draft(lane)
    await stored.repo.start(opened.conversation)
    shown = await admin.succeed("GET", f"{PATH}/{opened.id}")
    assert (shown["messages"], shown["transcript"], shown["readable"]) == (0, [], True)


async def test_export_of_which_the_rest_cannot_be_read_has_no_end(
    app: App, admin: Api, bot: Instance, caplog: pytest.LogCaptureFixture
) -> None:
    conversation = await with_more_messages(app, bot, 450)
    exchange = await blocked_read(admin, f"{PATH}/{conversation}/export")
    await app.management.conversations.removal.delete(ConversationSelection(instance=bot.id))
    exchange.writable.set()
    await exchange.over()
    assert len(exchange.sent) == 2
    assert exchange.sent[-1]["more_body"]
    assert "a response was cut off: Unknown conversation" in caplog.messages


async def test_rest_is_not_read_for_a_client_that_has_left(
    app: App, admin: Api, bot: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await with_more_messages(app, bot, 1_998)
    repo, reads = app.management.conversations.repo, 0
    show = repo.show

    async def counting_show(*arguments: Any, **options: Any) -> History:
        nonlocal reads
        reads += "piece" in options
        return await show(*arguments, **options)

    monkeypatch.setattr(repo, "show", counting_show)
    await admin.succeed("GET", f"{PATH}/{conversation}")
    assert reads == 11, "ten pieces, and none after them"
    exchange = await blocked_read(admin, f"{PATH}/{conversation}")
    exchange.disconnect()
    await exchange.over()
    assert reads < 15
