"""Verifies that a request is from Slack."""

import hashlib
import hmac
import re
from datetime import datetime

from polyant.domain.channel_events import WebhookRefusedError, WebhookRequest

MAX_AGE_SECONDS = 300
_TIMESTAMP = re.compile(r"\A\d{1,12}\Z", re.ASCII)


def verify(request: WebhookRequest, *, secret: str, now: datetime) -> None:
    """Returns if the app's signing secret signed the request within the last five minutes.

    Raises:
        WebhookRefusedError: It didn't.
    """
    timestamp = request.headers.get("x-slack-request-timestamp", "")
    if not _TIMESTAMP.match(timestamp) or abs(now.timestamp() - int(timestamp)) > MAX_AGE_SECONDS:
        raise WebhookRefusedError(forged=True)
    signed = b"v0:%b:%b" % (timestamp.encode(), request.body)
    expected = f"v0={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
    # An account that pulls has no secret.
    if not secret or not hmac.compare_digest(expected.encode(), request.headers.get("x-slack-signature", "").encode()):
        raise WebhookRefusedError(forged=True)
