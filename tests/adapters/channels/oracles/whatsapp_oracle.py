"""Parses notifications and records requests with pywa; runs in the environment `platforms`."""

import json
import sys
from typing import Any

import httpx
from pywa import WhatsApp, handlers, utils

RECORDED: list[dict[str, Any]] = []
PARSED: list[dict[str, Any]] = []


def respond(request: httpx.Request) -> httpx.Response:
    """Records a request, and returns the scripted platform's response to it."""
    body = json.loads(request.content) if request.content else None
    path = request.url.path.split("/", 2)[2].rstrip("/")
    RECORDED.append({"method": request.method, "path": path, "body": body})
    return httpx.Response(200, json=SAMPLE["responses"][len(RECORDED) - 1])


def on_message(_: WhatsApp, message: Any) -> None:
    media = message.media
    PARSED.append(
        {
            "id": message.id,
            "type": str(message.type.value),
            "user": message.from_user.wa_id,
            "name": message.from_user.name,
            "text": message.text or message.caption,
            "media": None if media is None else media.id,
            "timestamp": int(message.timestamp.timestamp()),
        }
    )


def on_status(_: WhatsApp, status: Any) -> None:
    code = None if status.error is None else str(status.error.code)
    PARSED.append({"id": status.id, "status": str(status.status.value), "code": code})


def on_number(_: WhatsApp, change: Any) -> None:
    PARSED.append({"id": change.id, "old": change.old_wa_id, "new": change.new_wa_id})


SAMPLE: dict[str, Any] = json.load(sys.stdin)


def client() -> WhatsApp:
    whatsapp = WhatsApp(
        phone_id=SAMPLE["number"],
        token=SAMPLE["token"],
        app_secret=SAMPLE["app_secret"],
        verify_token=SAMPLE["verify_token"],
        server=None,
        filter_updates=False,
        session=httpx.Client(transport=httpx.MockTransport(respond)),
    )
    whatsapp.add_handlers(
        handlers.MessageHandler(on_message),
        handlers.EditedMessageHandler(
            lambda _, edit: PARSED.append({"id": edit.id, "edited": edit.original_message_id})
        ),
        handlers.MessageStatusHandler(on_status),
        handlers.PhoneNumberChangeHandler(on_number),
    )
    return whatsapp


def main() -> dict[str, Any]:
    whatsapp = client()
    refusals = [whatsapp.webhook_update_validator(body.encode(), header) for body, header in SAMPLE["notifications"]]
    for body, _ in SAMPLE["notifications"]:
        whatsapp.webhook_update_handler(body.encode())
    sent = whatsapp.send_message(to=SAMPLE["user"], text="*Hello*")
    whatsapp.indicate_typing(message_id="wamid.1")
    media = whatsapp.get_media_url(media_id=SAMPLE["media"])
    whatsapp.override_phone_callback_url(callback_url="https://bot.example.com/", verify_token=SAMPLE["verify_token"])
    challenge = whatsapp.webhook_challenge_handler(vt=SAMPLE["verify_token"], ch="1158201444")
    return {
        "refusals": refusals,
        "parsed": PARSED,
        "recorded": RECORDED,
        "challenge": challenge,
        "sent": sent.id,
        "media": [media.url, media.mime_type, media.file_size],
        "signed": utils.webhook_updates_validator(
            app_secret=SAMPLE["app_secret"],
            request_body=b"{}",
            x_hub_signature=SAMPLE["signature_of_nothing"],
        ),
    }


json.dump(main(), sys.stdout)
