"""Events as Slack sends them, with all fields of its documentation."""

import hashlib
import hmac
from datetime import datetime
from typing import Any

import msgspec

from polyant.domain.channel_events import WebhookRequest

TEAM = "T0001"
BOT_USER = "U0BOT"
BOT_ID = "B0BOT"
APP = "A0001"
USER = "U0ANN"
CHANNEL = "C0GENERAL"
DIRECT = "D0ANN"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


def message(text: str, *, ts: str = "1700000000.000100", channel: str = CHANNEL, **fields: Any) -> dict[str, Any]:
    """Returns a `message` event; a field of None is left out."""
    kind = "im" if str(channel).startswith("D") else "channel"
    event = {
        "client_msg_id": "0b1c9cfd-0000-0000-0000-000000000000",
        "type": "message",
        "text": text,
        "user": USER,
        "ts": ts,
        "team": TEAM,
        "blocks": [{"type": "rich_text", "block_id": "ABC", "elements": []}],
        "channel": channel,
        "event_ts": ts,
        "channel_type": kind,
        **fields,
    }
    return {name: value for name, value in event.items() if value is not None}


def app_mention(text: str, **fields: Any) -> dict[str, Any]:
    """Returns an `app_mention` event."""
    return message(text, **{"type": "app_mention", "channel_type": None, **fields})


def file_of(file_id: str = "F0001", **fields: Any) -> dict[str, Any]:
    """Returns a file of a message."""
    return {
        "id": file_id,
        "created": 1700000000,
        "name": "plan.pdf",
        "title": "plan.pdf",
        "mimetype": "application/pdf",
        "filetype": "pdf",
        "user": USER,
        "size": 1234,
        "mode": "hosted",
        "is_external": False,
        "url_private": f"https://files.slack.com/files-pri/{TEAM}-{file_id}/plan.pdf",
        "url_private_download": f"https://files.slack.com/files-pri/{TEAM}-{file_id}/download/plan.pdf",
        **fields,
    }


def callback(event: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Returns the outer part of an event."""
    return {
        "token": "deprecated",
        "team_id": TEAM,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{event.get('ts', '0')}",
        "event_time": 1700000000,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": "4-eyJldCI6Im1lc3NhZ2UifQ",
        **fields,
    }


def signed(payload: object, *, at: datetime, secret: str = SIGNING_SECRET) -> WebhookRequest:
    """Returns the request of Slack's Events API with that payload, or with that body."""
    body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), b"v0:%b:%b" % (timestamp.encode(), body), hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": f"v0={digest}",
    }
    return WebhookRequest(method="POST", headers=headers, body=body)
