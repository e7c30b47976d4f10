"""Facts and metrics of a turn, never its text."""

import enum
from datetime import datetime

import msgspec

from polyant.domain.instances import InstanceId, Slug
from polyant.domain.turn_context import TurnContext


class TurnOutcome(enum.StrEnum):
    """How a turn ended."""

    FINISHED = "finished"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    ABANDONED = "abandoned"
    """The client went away."""
    SHUTDOWN = "shutdown"
    """The server stopped."""


class ObservedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of a turn, as observers receive it."""

    id: str
    """32 lowercase hex digits, unique among all turns."""
    context: TurnContext
    instance_id: InstanceId
    slug: Slug
    provider: str
    model: str
    streamed: bool
    started_at: datetime


class TurnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome and the metrics of one turn."""

    slug: Slug
    request_id: str
    at: datetime
    outcome: TurnOutcome
    milliseconds: float
    first_token_milliseconds: float | None = None
    steps: int = 0
    tool_calls: int = 0
    failed_tool_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """The part of `prompt_tokens` that the provider read from its prompt cache."""
    streamed: bool = False
    provider: str | None = None
    """The provider of the instance; None in records of versions that didn't store it."""
    error: str | None = None
    """Why the turn failed or timed out, for operators; None for other outcomes and in records of earlier versions."""


FAILED_OUTCOMES = frozenset({TurnOutcome.FAILED, TurnOutcome.TIMED_OUT})
"""The outcomes that count as failures; a client that went away is none."""


class TurnActivity(msgspec.Struct, frozen=True, kw_only=True):
    """The recent use of one instance."""

    turns: int = 0
    """The number of turns in the period."""
    failed: int = 0
    """How many of them failed or timed out."""
    last_at: datetime | None = None
    """The start of the last turn, which may precede the period; None without a stored turn."""


class TurnFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The turns of one instance in a period, in figures."""

    turns: int = 0
    failed: int = 0
    """How many of them failed or timed out."""
    median_milliseconds: float | None = None
    """The median duration; None without turns. Of an even number of turns, the shorter of both in the middle."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class TurnPage(msgspec.Struct, frozen=True):
    """One page of an instance's turns, newest first, and the total number of stored turns."""

    turns: tuple[TurnRecord, ...]
    total: int
