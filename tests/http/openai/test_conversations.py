"""Stored conversations over /v1."""

import logging
from typing import Any

import pytest

from polyant.domain.chat import AssistantMessage, TextDelta
from polyant.domain.conversations import Message
from polyant.domain.errors import ProviderError, ProviderFailure, StorageUnavailableError
from polyant.domain.instances import Instance
from support.api import Api
from support.app import App
from support.asgi import Response
from support.logs import fields_of
from support.scripted_supervisor import says
from support.sessions import session_token

KEY = "sk-0123456789abcdef"


@pytest.fixture
async def bot(app: App) -> Instance:
    """An instance that keeps conversations."""
    return await app.add("bot", key=KEY, conversations=True)


async def say(app: App, text: str, *, chat_id: str = "chat-1", **fields: Any) -> Response:
    return await app.chat(bearer=KEY, model="bot", text=text, chat_id=chat_id, **fields)


def sent(app: App) -> list[str]:
    """Returns the texts of the messages in the latest turn."""
    messages = app.supervisor.turns[-1].messages
    return [each.content if isinstance(each, AssistantMessage) else each.text for each in messages]


@pytest.mark.parametrize("stream", [False, True])
async def test_conversation_is_continued_by_chat_id(app: App, bot: Instance, *, stream: bool) -> None:
    assert (await say(app, "One", stream=stream)).status == 200
    response = await say(app, "Two", stream=stream)
    assert (response.status, response.header("x-polyant-ignored")) == (200, None)
    assert sent(app) == ["One", "Hello!", "Two"]


async def test_chat_id_that_counts_is_not_logged_as_ignored(
    app: App, bot: Instance, access_log: list[logging.LogRecord]
) -> None:
    response = await say(app, "One", n=2)
    assert response.header("x-polyant-ignored") == "n"
    assert fields_of(access_log[0])["ignored"] == "n"
    assert not any("One" in record.getMessage() for record in access_log)


async def test_chat_id_without_effect_is_reported(app: App, bot: Instance) -> None:
    empty = await say(app, "One", chat_id="")
    assert (empty.status, empty.header("x-polyant-ignored")) == (200, "chat_id")
    refused = await app.chat(bearer="sk-wrong-wrong-wrong-1", model="bot", chat_id="chat-1")
    assert (refused.status, refused.header("x-polyant-ignored")) == (401, "chat_id")
    await app.add("open-bot", conversations=True)
    keyless = await app.chat(model="open-bot", chat_id="chat-1")
    assert (keyless.status, keyless.header("x-polyant-ignored")) == (200, "chat_id")


async def test_users_have_conversations_of_their_own(app: App, bot: Instance) -> None:
    await say(app, "One", user="ann")
    await say(app, "Two", user="bob")
    assert sent(app) == ["Two"]
    await say(app, "Three", user="ann")
    assert sent(app) == ["One", "Hello!", "Three"]


@pytest.mark.parametrize(
    ("user", "message"),
    [
        (4711, "Expected `str | null`: the user separates conversations - at `$.user`"),
        ({"id": "ann"}, "Expected `str | null`: the user separates conversations - at `$.user`"),
        ("x" * 513, "Expected `str` of length <= 512 - at `$.user`"),
        ("ann\0", "U+0000 is not allowed in text - at `$.user`"),
    ],
)
async def test_unusable_user_is_refused_instead_of_sharing_a_conversation(
    app: App, bot: Instance, user: object, message: str
) -> None:
    refused = await say(app, "One", user=user)
    assert (refused.status, refused.json["message"]) == (400, message)
    assert await app.management.conversations.histories(bot.id) == []
    assert (await say(app, "One", chat_id="", user=user)).status == 200
    assert (await app.chat(bearer="sk-wrong-wrong-wrong-1", model="bot", chat_id="1", user=user)).status == 401


@pytest.mark.parametrize("user", [None, ""])
async def test_missing_user_has_the_conversation_of_the_chat_id_alone(
    app: App, bot: Instance, user: str | None
) -> None:
    await say(app, "One")
    await say(app, "Two", user=user)
    assert sent(app) == ["One", "Hello!", "Two"]


async def test_failed_write_of_the_answer_ends_the_stream_with_the_error(
    app: App, bot: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = app.management.conversations.repo
    append = repo.append

    async def fail_for_answers(conversation: object, messages: list[Message], **options: object) -> None:
        if options.get("answers"):
            raise StorageUnavailableError
        await append(conversation, messages, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(repo, "append", fail_for_answers)
    streamed = await say(app, "One", stream=True)
    assert streamed.status == 200
    assert b'"finish_reason":"stop"' not in streamed.body
    assert b'data: {"error":{' in streamed.body
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert (await say(app, "One")).status == 503


async def test_repeated_request_after_a_failure_is_answered_as_if_sent_once(app: App, bot: Instance) -> None:
    app.supervisor.plays(TextDelta("Half"), ProviderError("vendor", ProviderFailure.OVERLOADED))
    assert (await say(app, "One")).status == 502
    app.supervisor.plays(*says("Whole"))
    assert (await say(app, "One")).status == 200
    await say(app, "Two")
    assert sent(app) == ["One", "Whole", "Two"]


async def test_playground_keeps_no_conversation(app: App, bot: Instance) -> None:
    body = {"model": "bot", "messages": [{"role": "user", "content": "One"}], "chat_id": "chat-1"}
    response = await Api(app, session_token()).post("/instances/bot/playground", body)
    assert (response.status, response.header("x-polyant-ignored")) == (200, "chat_id")
    assert await app.management.conversations.histories(bot.id) == []
