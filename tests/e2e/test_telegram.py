"""A person talks to an assistant on a scripted Telegram, through real servers."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.openai_replies import openai_responder
from support.patience import PATIENCE
from support.process import Server, eventually, run_polyant, serving
from support.scripted_telegram import TOKEN, ScriptedTelegram, telegram_in_thread
from support.upstream import HANG_BEFORE_HEAD, UpstreamThread, upstream_in_thread

CHAT = "4711"
GROUP = {"id": -1001, "type": "supergroup", "title": "Team"}
PUBLIC_URL = "https://bots.example"


@pytest.fixture
def telegram() -> Iterator[ScriptedTelegram]:
    with telegram_in_thread() as (telegram, _):
        yield telegram


@pytest.fixture
def provider() -> Iterator[UpstreamThread]:
    """A model provider that answers each call with the same text."""
    with upstream_in_thread() as provider:
        provider.upstream.otherwise = openai_responder("A whole answer.")
        yield provider


def connect(folder: Path, telegram: ScriptedTelegram, *options: str, **settings: str) -> dict[str, str]:
    """Returns the environment of a server whose assistant is connected to Telegram."""
    variables = {"TELEGRAM_API_URL": telegram.url, **settings}
    succeed(folder, variables, "migrate")
    succeed(folder, variables, "channels", "connect", "demo-bot", "telegram", *options, given=f"{TOKEN}\n")
    return variables


def succeed(folder: Path, variables: dict[str, str], *arguments: str, given: str | None = None) -> None:
    done = run_polyant(folder, *arguments, given=given, **variables)
    assert done.returncode == 0, done.stderr


def post(server: Server, telegram: ScriptedTelegram, *updates: dict[str, Any]) -> list[int]:
    """Posts updates to the webhook, as Telegram does, and returns the statuses."""
    url = telegram.webhook["url"].replace(PUBLIC_URL, server.url)
    headers = {"x-telegram-bot-api-secret-token": telegram.webhook["secret_token"], "host": "bots.example"}
    return [httpx.post(url, json=update, headers=headers, timeout=PATIENCE).status_code for update in updates]


def test_stranger_is_paired_and_answered_by_polling(tmp_path: Path, telegram: ScriptedTelegram) -> None:
    variables = connect(tmp_path, telegram, "--burst", "enqueue")
    with serving(tmp_path, **variables):
        telegram.deliver(telegram.update(text="Hello"))
        eventually(lambda: len(telegram.texts(CHAT)), 1)
        found = re.search(r"4711-[A-Z2-7]{8}", telegram.texts(CHAT)[0])
        assert found
        approve = ("channels", "approve", "demo-bot", "telegram", found[0])
        assert run_polyant(tmp_path, *approve, **variables).returncode == 0
        telegram.deliver(telegram.update(text="Hello again"))
        eventually(lambda: "Hello again" in "".join(telegram.texts(CHAT)[1:]), True)
        telegram.deliver(telegram.update(text="/new", entities=[{"type": "bot_command", "offset": 0, "length": 4}]))
        eventually(lambda: "new conversation" in telegram.texts(CHAT)[-1], True)
        assert len(telegram.texts(CHAT)) == 3
        mention = {"type": "mention", "offset": 0, "length": 9}
        telegram.deliver(
            telegram.update(text="not for you", chat=GROUP),
            telegram.update(text="@demo_bot for you", chat=GROUP, entities=[mention]),
        )
        eventually(lambda: len(telegram.texts("-1001")), 1)
        (shown,) = telegram.texts("-1001")
        assert "for you" in shown
        assert "not for you" not in shown


@pytest.mark.parametrize("end", [Server.kill, Server.stop])
def test_server_that_ends_in_the_middle_answers_each_message_once_after_its_restart(
    tmp_path: Path, telegram: ScriptedTelegram, provider: UpstreamThread, end: Callable[[Server], object]
) -> None:
    """The messages have a picture, a voice note and a PDF; the server is killed or stopped while the model answers."""
    settings = {"PUBLIC_URL": PUBLIC_URL, "LEASE_SECONDS": "2", "SHUTDOWN_SECONDS": "0.5", "DRAIN_SECONDS": "0.1"}
    variables = connect(tmp_path, telegram, "--access", "everybody", "--burst", "enqueue", **settings)
    model = ("--provider", "openai", "--model", "m", "--base-url", f"{provider.upstream.url}/v1")
    succeed(tmp_path, variables, "instances", "update", "demo-bot", *model)
    succeed(tmp_path, variables, "secrets", "set", "demo-bot", "openai_api_key", given="sk-made-up-0123456789")
    provider.upstream.replies.append(HANG_BEFORE_HEAD)
    updates = messages_with_media(telegram)
    with serving(tmp_path, **variables) as server:
        assert post(server, telegram, *updates) == [200, 200, 200]
        eventually(lambda: len(provider.upstream.posts), 1)
        end(server)
    assert telegram.texts(CHAT) == []
    with serving(tmp_path, **variables) as server:
        assert post(server, telegram, *updates) == [200, 200, 200]  # Telegram may deliver them again
        eventually(lambda: len(telegram.texts(CHAT)), 3)
        assert post(server, telegram, telegram.update(text="last")) == [200]
        eventually(lambda: len(telegram.texts(CHAT)), 4)
    assert telegram.texts(CHAT) == ["A whole answer."] * 4
    assert len(provider.upstream.posts) == 5


def test_forged_requests_are_refused_and_limited_on_their_own(tmp_path: Path, telegram: ScriptedTelegram) -> None:
    variables = connect(tmp_path, telegram, PUBLIC_URL=PUBLIC_URL)
    with serving(tmp_path, **variables) as server:
        path = telegram.webhook["url"].removeprefix(PUBLIC_URL)
        forged = [httpx.post(f"{server.url}{path}", json={"update_id": 1}, timeout=PATIENCE) for _ in range(61)]
        assert [response.status_code for response in forged] == [401] * 60 + [429]
        assert forged[0].json()["message"] == "Unauthorized"
        assert post(server, telegram, telegram.update(text="hello")) == [200]
        unknown = httpx.post(f"{server.url}{path[:-1]}!", json={}, timeout=PATIENCE)
        assert unknown.status_code == 404
        large = httpx.post(f"{server.url}{path}", content=b"x" * (1024 * 1024 + 1), timeout=PATIENCE)
        assert large.status_code == 413
        listed = httpx.get(f"{server.url}/v1/models", timeout=PATIENCE)
        assert listed.status_code == 401


def messages_with_media(telegram: ScriptedTelegram) -> list[dict[str, Any]]:
    picture = telegram.add_file(b"\xff\xd8\xff\xe0 not really", name="photos/1.jpg")
    voice = telegram.add_file(b"OggS not really", name="voice/1.oga")
    document = telegram.add_file(b"%PDF-1.4 not really", name="documents/1.pdf")
    return [
        telegram.update(caption="What is this?", photo=[{"file_id": picture, "file_size": 15}]),
        telegram.update(voice={"file_id": voice, "mime_type": "audio/ogg", "file_size": 15}),
        telegram.update(
            document={"file_id": document, "mime_type": "application/pdf", "file_name": "a.pdf", "file_size": 19}
        ),
    ]
