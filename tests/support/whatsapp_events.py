"""Notifications as Meta sends them, with all fields of its documentation."""

import hashlib
import hmac
from typing import Any

import msgspec

from polyant.domain.channel_events import WebhookRequest

NUMBER = "106540352242922"
OTHER_NUMBER = "106540352242923"
BUSINESS = "102290129340398"
USER = "16505551234"
APP_SECRET = "hidden-app-secret-0123456789abcdef"
LATE = {
    "code": 131047,
    "title": "Re-engagement message",
    "message": "Re-engagement message",
    "error_data": {"details": "Message failed to send because more than 24 hours have passed"},
    "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
}
"""The error of a message that is sent too late."""
VERIFY_TOKEN = "hidden-verify-token"


def message(kind: str = "text", message_id: str = "wamid.1", **fields: Any) -> dict[str, Any]:
    """Returns a message of a user; a field of None is left out."""
    message = {
        "from": USER,
        "from_user_id": "US.13491208655302741918",
        "id": message_id,
        "timestamp": "1749416383",
        "type": kind,
        **fields,
    }
    return {name: value for name, value in message.items() if value is not None}


def text(body: str, message_id: str = "wamid.1", **fields: Any) -> dict[str, Any]:
    """Returns a text message."""
    return message("text", message_id, text={"body": body}, **fields)


def status(state: str, message_id: str = "wamid.sent", **fields: Any) -> dict[str, Any]:
    """Returns the status of a message of the business."""
    return {
        "id": message_id,
        "status": state,
        "timestamp": "1750263773",
        "recipient_id": USER,
        "recipient_user_id": "US.13491208655302741918",
        "pricing": {"billable": True, "pricing_model": "PMP", "category": "service", "type": "regular"},
        **fields,
    }


def value(
    *messages: dict[str, Any], number: str = NUMBER, name: str = "Sheena Nelson", **fields: Any
) -> dict[str, Any]:
    """Returns the messages of one phone number."""
    contact = {"profile": {"name": name}, "wa_id": USER, "user_id": "US.13491208655302741918"}
    content = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": number},
        "contacts": [contact],
        "messages": list(messages),
        **fields,
    }
    return {name: value for name, value in content.items() if value not in (None, [])}


def notification(*values: dict[str, Any]) -> dict[str, Any]:
    """Returns the body of a request with these values, each in an entry of its own."""
    entries = [{"id": BUSINESS, "changes": [{"value": each, "field": "messages"}]} for each in values]
    return {"object": "whatsapp_business_account", "entry": entries}


def signed(payload: object, *, secret: str = APP_SECRET) -> WebhookRequest:
    """Returns Meta's request with that payload, or with that body."""
    body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "user-agent": "facebookexternalua",
        "x-hub-signature-256": f"sha256={digest}",
    }
    return WebhookRequest(method="POST", headers=headers, body=body)


def verification(*, token: str = VERIFY_TOKEN, **query: str) -> WebhookRequest:
    """Returns Meta's request to verify the webhook."""
    defaults = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
    return WebhookRequest(
        method="GET",
        headers={},
        query={**defaults, **{name.replace("_", ".", 1): text for name, text in query.items()}},
    )
