"""The log line of a turn."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from polyant.adapters.tool_loop.budget import Purse
from polyant.domain.instances import Slug
from polyant.domain.ports.clock import Clock

log = logging.getLogger("polyant.turn")


@contextmanager
def logged(slug: Slug, purse: Purse, clock: Clock) -> Iterator[None]:
    """Writes a line when the turn is over: how it ended, and what it spent."""
    outcome = "finished"
    try:
        yield
    except (GeneratorExit, asyncio.CancelledError):
        outcome = "abandoned"
        raise
    except BaseException as error:
        outcome = type(error).__name__
        raise
    finally:
        fields = {
            "slug": slug,
            "outcome": outcome,
            "steps": purse.steps,
            "tool_calls": purse.tool_calls,
            "prompt_tokens": purse.usage.prompt_tokens,
            "completion_tokens": purse.usage.completion_tokens,
            "ms": round(purse.milliseconds(clock), 1),
        }
        log.info("turn", extra={"fields": fields})
