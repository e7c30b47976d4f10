"""Turns for tests of Supervisors, tools and observers."""

import math
from typing import Any

from polyant.domain.chat import Turn, UserMessage
from polyant.domain.instances import Instance, InstanceId, Slug
from polyant.domain.limits import TurnBudget
from polyant.domain.turn_context import Caller, TurnContext
from polyant.domain.turn_records import ObservedTurn
from polyant.testing.manual_clock import START

CONTEXT = TurnContext(
    request_id="req_1",
    channel="api",
    caller=Caller(key_id="key_0123456789ab", user="user-7", address="203.0.113.7"),
    chat_id="chat-1",
)


def turn_of(instance: Instance, text: str = "Is it so?", **fields: Any) -> Turn:
    """Returns a turn of the instance with one user message, and without a deadline unless `fields` has one."""
    defaults: dict[str, Any] = {
        "context": CONTEXT,
        "budget": instance.limits.applied_to(TurnBudget()),
        "deadline": math.inf,
        "messages": (UserMessage.of(text),),
    }
    return Turn(instance=instance, **{**defaults, **fields})


def observed_turn(**fields: Any) -> ObservedTurn:
    """Returns a turn as observers receive it."""
    defaults: dict[str, Any] = {
        "id": "0f" * 16,
        "context": CONTEXT,
        "instance_id": InstanceId("a1" * 16),
        "slug": Slug("demo-bot"),
        "provider": "scripted",
        "model": "demo",
        "streamed": False,
        "started_at": START,
    }
    return ObservedTurn(**{**defaults, **fields})
