"""Reads token counts, which providers report in all sorts of forms."""

import math
from collections.abc import Mapping
from typing import Any

from polyant.domain.chat import MAX_TOKENS


def count_in(report: Mapping[str, Any], *names: str) -> int | None:
    """Returns the first known count under one of the names, as a whole number from 0 to MAX_TOKENS.

    Args:
        report: The provider's usage report.
        names: Names of counts, in the order of preference; `a.b` is the count `b` in the object `a`.
    """
    for name in names:
        outer, _, inner = name.rpartition(".")
        place = report.get(outer) if outer else report
        count = _whole(place.get(inner)) if isinstance(place, dict) else None
        if count is not None:
            return count
    return None


def _whole(value: object) -> int | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return int(min(max(value, 0), MAX_TOKENS))
