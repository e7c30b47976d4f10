"""Reads token counts, which providers report in all sorts of forms."""

import math
from collections.abc import Mapping
from typing import Any

from polyant.domain.chat import MAX_TOKENS


def count_in(report: Mapping[str, Any], *names: str) -> int | None:
    """Returns the first known count under one of the names, as a whole number from 0 to MAX_TOKENS.

    Args:
        report: The provider's usage report, or an object in it.
        names: Names of counts, in the order of preference.
    """
    for name in names:
        count = report.get(name)
        if count.__class__ is int and 0 <= count <= MAX_TOKENS:
            return count
        if count is not None and (whole := _whole(count)) is not None:
            return whole
    return None


def prompt_in(report: Mapping[str, Any]) -> int | None:
    """Returns how many tokens an OpenAI-compatible server counted in the prompt; None if it doesn't say.

    With Anthropic's names, tokens read from or written to the prompt cache are counted separately.
    """
    prompt = count_in(report, "prompt_tokens", "promptTokens")
    if prompt is not None or (uncached := count_in(report, "input_tokens")) is None:
        return prompt
    cache = (count_in(report, name) or 0 for name in ("cache_read_input_tokens", "cache_creation_input_tokens"))
    return min(uncached + sum(cache), MAX_TOKENS)


def cached_in(report: Mapping[str, Any]) -> int | None:
    """Returns how many tokens of the prompt the server read from its prompt cache; None if it doesn't say."""
    for name in ("prompt_tokens_details", "input_tokens_details"):
        details = report.get(name)
        if isinstance(details, dict) and (count := count_in(details, "cached_tokens")) is not None:
            return count
    # The names of DeepSeek, Moonshot, Mistral and Anthropic.
    names = "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens"
    return count_in(report, *names)


def _whole(value: object) -> int | None:
    if type(value) is int:
        return min(max(value, 0), MAX_TOKENS)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return int(min(max(value, 0), MAX_TOKENS))
