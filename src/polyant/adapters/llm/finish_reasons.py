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
            *("blocklist", "prohibited_content", "spii", "image_safety", "guardrail_intervened"),
        ),
        "content_filter",
    ),
}
_FAILURES = {
    **dict.fromkeys(
        (
            *("failed", "failure", "abort", "aborted", "cancelled", "canceled"),
            *("malformed_function_call", "malformed_tool_call", "unexpected_tool_call"),
        ),
        ProviderFailure.BAD_RESPONSE,
    ),
    **dict.fromkeys(("insufficient_system_resource", "overloaded"), ProviderFailure.OVERLOADED),
    **dict.fromkeys(("timeout", "time_limit"), ProviderFailure.TIMEOUT),
}


def finish_reason_of(value: object) -> FinishReason | None:
    """Returns the finish reason, which is `stop` for an unknown one, or None if the value means none.

    Upper case, hyphens and a reason after a colon, as in Google's `content_filter: RECITATION`, are understood.

    Raises:
        CallFailedError: The provider broke off the response.
    """
    if value == "stop":
        return "stop"
    reason = "" if value is None or value is False else str(value).strip().lower().replace("-", "_")
    if reason in _NO_REASONS:
        return None
    for name in _names_in(reason):
        kind = _FAILURES.get(name) or (ProviderFailure.BAD_RESPONSE if name.endswith("error") else None)
        if kind is not None:
            raise CallFailedError(kind, retry=True)
    return next((found for name in _names_in(reason) if (found := _FINISH_REASONS.get(name))), "stop")


def _names_in(reason: str) -> Iterator[str]:
    yield reason
    if ":" in reason:
        yield from (part.strip() for part in reason.split(":"))
