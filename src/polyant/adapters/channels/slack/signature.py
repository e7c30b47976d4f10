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
        raise WebhookRefusedError(forged=True, reason="the time stamp is more than 5 minutes from this server's clock")
    signed = b"v0:%b:%b" % (timestamp.encode(), request.body)
    expected = f"v0={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
    given = request.headers.get("x-slack-signature", "")
    # An account that pulls has no secret.
    if not secret or not hmac.compare_digest(expected.encode(), given.encode()):
        reason = "the signature doesn't match the signing secret" if given else "the signature is missing"
        raise WebhookRefusedError(forged=True, reason=reason)
