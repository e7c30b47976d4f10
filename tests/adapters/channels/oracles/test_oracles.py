"""The requests of the scripted platforms and the calls of the channels, checked with well-known clients."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from clients.environments import UnavailableError, python_with
from polyant.adapters.channels.slack.channel import SlackChannel
from polyant.adapters.channels.whatsapp.channel import WhatsAppChannel
from polyant.domain.channel_events import MediaKind, MediaReference, Peer, WebhookRequest
from polyant.domain.channel_info import SetUp
from polyant.domain.channel_sends import Chunk, Progress
from polyant.testing.manual_clock import ManualClock
from support import slack_events, whatsapp_events
from support.patience import PATIENCE
from support.scripted_telegram import TOKEN as TELEGRAM_TOKEN
from support.scripted_telegram import ScriptedTelegram
from support.slack_platform import SlackPlatform
from support.slack_rig import slack_rig
from support.telegram_rig import telegram_rig
from support.whatsapp_platform import TOKEN, WhatsAppPlatform
from support.whatsapp_rig import whatsapp_rig

HERE = Path(__file__).parent

Ask = Callable[[str, object], Any]


@pytest.fixture(scope="module")
def ask() -> Ask:
    """Returns an oracle's answer about a sample; without its environment, tests are skipped, and fail in CI."""
    try:
        python = python_with(HERE / "environments" / "platforms.txt")
    except UnavailableError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))

    def ask(oracle: str, sample: object) -> Any:
        done = subprocess.run(
            [python, HERE / f"{oracle}_oracle.py"],
            input=msgspec.json.encode(sample).decode(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        return json.loads(done.stdout)

    return ask


def test_slack_sdk_agrees_about_signatures_and_envelopes(ask: Ask) -> None:
    now = ManualClock().now()
    payloads = [slack_events.callback(slack_events.message("Hi")), {"type": "url_verification", "challenge": "é"}]
    requests = [slack_events.signed(payload, at=now) for payload in payloads]
    forged = msgspec.structs.replace(requests[0], body=requests[0].body + b" ")
    envelope = {"envelope_id": "e1", "type": "events_api", "payload": payloads[0], "retry_attempt": 0}
    answer = ask(
        "slack",
        {
            "secret": slack_events.SIGNING_SECRET,
            "timestamp": str(int(now.timestamp())),
            "requests": [(request.body.decode(), request.headers) for request in [*requests, forged]],
            "unsigned": requests[1].body.decode(),
            "envelopes": [envelope],
            "calls": {},
        },
    )
    assert answer["valid"] == [True, True, False]
    assert answer["signature"] == requests[1].headers["x-slack-signature"]
    assert answer["events"] == ["message"]
    assert answer["acknowledgements"] == [{"envelope_id": "e1"}]


async def test_slack_sdk_knows_the_calls_of_the_channel(ask: Ask) -> None:
    async with slack_rig() as rig:
        await _use_slack(rig.channel, rig.slack, rig.account)
        calls: dict[str, set[str]] = {}
        for method, arguments in rig.slack.calls:
            calls.setdefault(method, set()).update(arguments)
    assert {"auth.test", "apps.connections.open", "chat.postMessage", "chat.update", "chat.delete"} <= calls.keys()
    assert {"reactions.add", "assistant.threads.setStatus", "files.info"} <= calls.keys()
    sample = {"secret": "none", "timestamp": "0", "requests": [], "unsigned": "", "envelopes": []}
    answer = await asyncio.to_thread(ask, "slack", {**sample, "calls": {name: [*used] for name, used in calls.items()}})
    assert answer["unknown"] == {name: [] for name in calls}


async def _use_slack(channel: SlackChannel, slack: SlackPlatform, account: Any) -> None:
    """Makes each call of the Web API once."""
    peers = (Peer("C1", "1.000001"), Peer("D1"))
    await channel.check(account)
    for peer in peers:
        await channel.show_progress(account, Progress(peer=peer, message_id="1.000002"))
    for refuses in (False, True):
        draft = await channel.show_progress(account, Progress(peer=peers[0], message_id="1.000002", text="H"))
        slack.refuses_markdown = refuses
        await channel.send(account, Chunk(peer=peers[0], text="Hello", replaces=draft))
        slack.refuses_markdown = False
    draft = await channel.show_progress(account, Progress(peer=peers[0], message_id="1.000002", text="H"))
    slack.refuses_markdown = True
    await channel.send(account, Chunk(peer=peers[0], text="H" * 5_000, replaces=draft))
    await channel.fetch(account, MediaReference(id="F1", kind=MediaKind.IMAGE), max_bytes=1)


def _whatsapp_requests() -> list[WebhookRequest]:
    text, message, value = whatsapp_events.text, whatsapp_events.message, whatsapp_events.value
    audio = {"id": "11", "mime_type": "audio/ogg; codecs=opus", "sha256": "x", "voice": True}
    document = {"id": "12", "mime_type": "application/pdf", "sha256": "x", "filename": "a.pdf", "caption": "Read"}
    sticker = {"id": "13", "mime_type": "image/webp", "sha256": "x", "animated": False}
    edited = {"type": "text", "text": {"body": "Hello!"}, "id": "wamid.1"}
    system = {"body": "Ada changed", "wa_id": "16505559999", "type": "user_changed_number"}
    failed = whatsapp_events.status("failed", errors=[whatsapp_events.LATE])
    values = [
        value(text("Hello?", "wamid.1")),
        value(message("audio", "wamid.2", audio=audio)),
        value(message("document", "wamid.3", document=document)),
        value(message("sticker", "wamid.4", sticker=sticker)),
        value(message("edit", "wamid.5", edit={"original_message_id": "wamid.1", "message": edited})),
        value(message("system", "wamid.6", system=system)),
        value(statuses=[failed]),
        value(statuses=[whatsapp_events.status("read")]),
    ]
    return [whatsapp_events.signed(whatsapp_events.notification(each)) for each in values]


async def test_pywa_agrees_about_notifications_and_calls(ask: Ask) -> None:
    requests = _whatsapp_requests()
    async with whatsapp_rig() as rig:
        events = [rig.channel.receive(rig.account, request).events[0] for request in requests]
        media_id = await _use_whatsapp(rig.channel, rig.whatsapp, rig.account)
        received = [each for each in rig.whatsapp.upstream.requests if each.method == "POST" or media_id in each.path]
    made = [
        {
            "method": each.method,
            "path": each.path.removeprefix("/v25.0/").partition("?")[0],
            "body": each.json() if each.body else None,
        }
        for each in received
        if "attachments" not in each.path
    ]
    sample = {
        "number": whatsapp_events.NUMBER,
        "media": media_id,
        "user": whatsapp_events.USER,
        "token": TOKEN,
        "app_secret": whatsapp_events.APP_SECRET,
        "verify_token": whatsapp_events.VERIFY_TOKEN,
        "notifications": [(each.body.decode(), each.headers["x-hub-signature-256"]) for each in requests],
        "signature_of_nothing": whatsapp_events.signed(b"{}").headers["x-hub-signature-256"],
        "responses": [
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": whatsapp_events.USER, "wa_id": whatsapp_events.USER}],
                "messages": [{"id": "wamid.9"}],
            },
            {"success": True},
            rig.whatsapp.media[media_id][0],
            {"success": True},
        ],
    }
    answer = await asyncio.to_thread(ask, "whatsapp", sample)
    assert answer["refusals"] == [None] * len(requests)
    assert answer["signed"]
    assert answer["challenge"] == ["1158201444", 200]
    assert answer["sent"] == "wamid.9"
    assert answer["parsed"] == [_as_pywa_sees(event) for event in events]
    assert answer["recorded"] == made
    assert answer["media"] == [rig.whatsapp.media[media_id][0][name] for name in ("url", "mime_type", "file_size")]


async def _use_whatsapp(channel: WhatsAppChannel, whatsapp: WhatsAppPlatform, account: Any) -> str:
    """Makes each call in the order of the oracle, and returns the id of the media."""
    peer = Peer(whatsapp_events.USER)
    await channel.send(account, Chunk(peer=peer, text="**Hello**"))
    await channel.show_progress(account, Progress(peer=peer, message_id="wamid.1"))
    media_id = whatsapp.add_media(b"x")
    await channel.fetch(account, MediaReference(id=media_id, kind=MediaKind.IMAGE), max_bytes=1)
    await channel.check(account, SetUp(webhook="https://bot.example.com/"))
    return media_id


def _as_pywa_sees(event: Any) -> dict[str, Any]:
    match event.kind.value:
        case "status":
            return {"id": event.status.platform_id, "status": event.status.status, "code": event.status.code}
        case "edit":
            return {"id": event.id, "edited": event.edited}
        case "moved":
            return {"id": event.id, "old": event.peer.chat, "new": event.moved_to.chat}
    media = event.media[0] if event.media else None
    kinds = {MediaKind.VOICE: "audio", MediaKind.DOCUMENT: "document", MediaKind.STICKER: "sticker"}
    return {
        "id": event.id,
        "type": "text" if media is None else kinds[media.kind],
        "user": event.user.id,
        "name": event.user.name,
        "text": event.text or None,
        "media": None if media is None else media.id,
        "timestamp": event.position,
    }


async def test_aiogram_agrees_about_updates_calls_and_responses(ask: Ask) -> None:
    async with telegram_rig() as rig, aiohttp.ClientSession() as http:
        updates = _updates(rig.telegram)
        peers = (Peer("4711"), Peer("-1001", "7"))
        for peer in peers:
            draft = None
            for text in ("", "Hel", "Hello"):
                private = peer.thread is None
                progress = Progress(peer=peer, private=private, message_id="1", text=text, draft=draft)
                draft = await rig.channel.show_progress(rig.account, progress)
            await rig.channel.send(rig.account, Chunk(peer=peer, text="**Hello** `code`", reply_to="1", replaces=draft))
        await rig.channel.check(rig.account, SetUp(webhook="https://bot.example.com/x"))
        file_id = rig.telegram.add_file(b"x")
        await rig.channel.fetch(rig.account, MediaReference(id=file_id, kind=MediaKind.IMAGE), max_bytes=9)
        calls = [
            (each.path.rpartition("/")[2], each.json())
            for each in rig.telegram.upstream.requests
            if "/file/" not in each.path
        ]
        url = f"{rig.telegram.url}/bot{TELEGRAM_TOKEN}"
        responses = []
        for method, kind, arguments in (
            ("getMe", "User", {}),
            ("getWebhookInfo", "WebhookInfo", {}),
            ("getFile", "File", {"file_id": file_id}),
            ("sendMessage", "Message", {"chat_id": 4711, "text": "Hello"}),
        ):
            async with http.post(f"{url}/{method}", json=arguments) as response:
                responses.append((kind, (await response.json())["result"]))
    sample = {"updates": updates, "calls": calls, "responses": responses}
    answer = await asyncio.to_thread(ask, "telegram", sample)
    assert {"sendMessage", "sendMessageDraft", "editMessageText", "sendChatAction", "getFile"} <= {*dict(calls)}
    assert answer == {"kinds": ["message"] * 4 + ["edited_message"], "unknown": []}


def _updates(telegram: ScriptedTelegram) -> list[dict[str, Any]]:
    photo = [{"file_id": "1", "file_unique_id": "u", "width": 90, "height": 90, "file_size": 1}]
    voice = {"file_id": "2", "file_unique_id": "v", "duration": 1, "mime_type": "audio/ogg"}
    document = {"file_id": "3", "file_unique_id": "w", "file_name": "a.pdf", "mime_type": "application/pdf"}
    return [
        telegram.update(text="Hello?"),
        telegram.update(photo=photo, caption="Look", media_group_id="m"),
        telegram.update(voice=voice),
        telegram.update(document=document),
        telegram.update(kind="edited_message", text="Hello!", edit_date=1_780_000_001),
    ]
