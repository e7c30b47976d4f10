"""Verifies that a request is from Meta."""

import hashlib
import hmac

from polyant.domain.channel_events import InboundBatch, WebhookRefusedError, WebhookReply, WebhookRequest

_MAX_CHALLENGE_CHARACTERS = 256


def verify(request: WebhookRequest, *, app_secret: str) -> None:
    """Returns if the app's secret signed the body.

    Raises:
        WebhookRefusedError: It didn't.
    """
    expected = f"sha256={hmac.new(app_secret.encode(), request.body, hashlib.sha256).hexdigest()}"
    given = request.headers.get("x-hub-signature-256", "")
    if not app_secret or not hmac.compare_digest(expected.encode(), given.encode()):
        reason = "the signature doesn't match the app secret" if given else "the signature is missing"
        raise WebhookRefusedError(forged=True, reason=reason)


def answer_verification(request: WebhookRequest, *, verify_token: str) -> InboundBatch:
    """Returns the response to Meta's verification of the webhook.

    Raises:
        WebhookRefusedError: The token is another one, or it isn't a verification.
    """
    given = request.query.get("hub.verify_token", "")
    if not verify_token or not hmac.compare_digest(verify_token.encode(), given.encode("utf-8", "replace")):
        raise WebhookRefusedError(forged=True, reason="the verify token is another one")
    challenge = request.query.get("hub.challenge", "")
    if request.query.get("hub.mode") != "subscribe" or not 0 < len(challenge) <= _MAX_CHALLENGE_CHARACTERS:
        raise WebhookRefusedError(forged=False, reason="the request isn't a verification")
    return InboundBatch(reply=WebhookReply(body=challenge.encode("utf-8", "replace")))
