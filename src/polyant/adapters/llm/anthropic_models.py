"""The versions of Claude, which determine what a model accepts."""

import re
from functools import lru_cache

_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")


@lru_cache(maxsize=1024)
def claude_version(model: str) -> tuple[int, int] | None:
    """Returns the version in a model's name, such as (4, 5) in `claude-haiku-4-5-20251001`; None if there is none."""
    claude = _CLAUDE.search(model)
    return None if claude is None else (int(claude[1]), int(claude[2] or 0))
