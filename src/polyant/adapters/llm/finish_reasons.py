"""Maps the finish reasons of providers, of which there are many, to those of the domain."""

from collections.abc import Iterator
from typing import Literal

from polyant.adapters.llm.failures import CallFailedError
from polyant.domain.errors import ProviderFailure

FinishReason = Literal["stop", "tool_calls", "length", "content_filter", "paused"]

_NO_REASONS = frozenset({"", "null", "none"})
_FINISH_REASONS: dict[str, FinishReason] = {
    **dict.fromkeys(("tool_calls", "tool_call", "tool_use", "function_call"), "tool_calls"),
    **dict.fromkeys(
        (
            *("length", "model_length", "max_length", "max_tokens", "max_output_tokens", "max_new_tokens"),
            *("token_limit", "context_length_exceeded", "model_context_window_exceeded"),
        ),
        "length",
    ),
    **dict.fromkeys(
        (
            *("content_filter", "content_filtered", "safety", "sensitive", "refusal", "moderation", "recitation"),
            *("blocklist", "prohibited_content", "spii", "image_safety", "guardrail_intervened", "error_toxic"),
        ),
        "content_filter",
    ),
}
_FAILURES = {
    **dict.fromkeys(("overload", "unavailable", "insufficient_system_resource"), ProviderFailure.OVERLOADED),
    **dict.fromkeys(("timeout", "timed_out", "time_out", "time_limit", "deadline"), ProviderFailure.TIMEOUT),
    **dict.fromkeys(("rate_limit", "throttl"), ProviderFailure.RATE_LIMIT),
    **dict.fromkeys(
        (
            *("error", "exception", "fail", "abort", "cancel", "malformed", "interrupted", "disconnect"),
            "unexpected_tool_call",
        ),
        ProviderFailure.BAD_RESPONSE,
    ),
}
"""The kinds of failure, by a part of the reason. The first one that a reason contains decides."""


def finish_reason_of(value: object) -> FinishReason | None:
    """Returns the finish reason, which is `stop` for an unknown one, or None if the value means none.

    Upper case, hyphens, a reason after a colon, as in Google's `content_filter: RECITATION`, and an object with the
    reason as its type, as SGLang sends it, are understood.

    Raises:
        CallFailedError: The provider broke off the response.
    """
    if value == "stop":
        return "stop"
    if isinstance(value, dict):
        value = value.get("type") or value.get("reason") or ("stop" if value else None)
    reason = "" if value is None or value is False else str(value).strip().lower().replace("-", "_").replace(" ", "_")
    if reason in _NO_REASONS:
        return None
    known = next((found for name in _names_in(reason) if (found := _FINISH_REASONS.get(name))), None)
    kind = next((kind for part, kind in _FAILURES.items() if part in reason), None)
    if kind is not None and (known is None or ":" in reason):
        raise CallFailedError(kind, retry=True)
    return known or "stop"


def _names_in(reason: str) -> Iterator[str]:
    yield reason
    if ":" in reason:
        yield from (part.strip("_") for part in reason.split(":"))
