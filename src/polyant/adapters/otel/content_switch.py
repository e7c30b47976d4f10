"""The switch for text in spans."""

from polyant.domain.injectables import Environ

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_ON = frozenset({"true", "span_only", "span_and_event"})
_OFF = frozenset({"", "false", "no_content", "event_only"})
"""Polyant sends no events, so content for events alone is none."""


def is_content_recorded(environ: Environ) -> bool:
    """Returns whether spans contain text, by OpenTelemetry's own variable; they don't by default.

    Raises:
        ValueError: The variable is invalid; the message names it.
    """
    word = environ.get(VARIABLE, "").strip().lower()
    if word not in _ON | _OFF:
        raise ValueError(f"{VARIABLE} must be SPAN_ONLY, SPAN_AND_EVENT, true, NO_CONTENT, EVENT_ONLY or false")
    return word in _ON
