"""The events of a turn, for tests of Supervisors."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from polyant.domain.chat import SupervisorEvent, TextDelta


async def events_of(events: AsyncGenerator[SupervisorEvent, None]) -> list[SupervisorEvent]:
    """Returns all events of a turn."""
    async with aclosing(events):
        return [event async for event in events]


def text_in(events: list[SupervisorEvent]) -> str:
    """Returns the text among the events."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))
