"""Checks requests and calls with slack-sdk; runs in the environment `platforms`."""

import inspect
import json
import sys
from typing import Any

from slack_sdk.signature import Clock, SignatureVerifier
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web import WebClient


class FixedClock(Clock):  # type: ignore[misc]
    """The time of the requests."""

    def __init__(self, moment: float) -> None:
        self._moment = moment

    def now(self) -> float:
        return self._moment


def unknown_arguments(method: str, arguments: list[str]) -> list[str]:
    """Returns the arguments that the official client doesn't have for the method."""
    known = inspect.signature(getattr(WebClient, method.replace(".", "_"))).parameters
    return [name for name in arguments if name not in known]


def main(sample: dict[str, Any]) -> dict[str, Any]:
    verifier = SignatureVerifier(sample["secret"], clock=FixedClock(float(sample["timestamp"])))
    envelopes = [SocketModeRequest.from_dict(envelope) for envelope in sample["envelopes"]]
    return {
        "valid": [verifier.is_valid_request(body, headers) for body, headers in sample["requests"]],
        "signature": verifier.generate_signature(timestamp=sample["timestamp"], body=sample["unsigned"]),
        "unknown": {method: unknown_arguments(method, names) for method, names in sample["calls"].items()},
        "events": [envelope.payload["event"]["type"] for envelope in envelopes],
        "acknowledgements": [SocketModeResponse(envelope.envelope_id).to_dict() for envelope in envelopes],
    }


json.dump(main(json.load(sys.stdin)), sys.stdout)
