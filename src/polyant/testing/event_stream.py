"""Replies of server-sent events, split into pieces as a test requires."""

import random
from collections.abc import Callable, Iterable
from itertools import pairwise

import msgspec

from polyant.testing.upstream import Reply, Then

Split = Callable[[bytes], list[bytes]]

EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}


def whole(data: bytes) -> list[bytes]:
    """Returns the data in one piece."""
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    """Returns the data in pieces of one byte."""
    return [data[at : at + 1] for at in range(len(data))]


def at_random(seed: int) -> Split:
    """Returns a function that splits data at random places, the same ones for the same seed."""

    def split(data: bytes) -> list[bytes]:
        chosen = random.Random(seed)  # noqa: S311 - a repeatable choice, no secret
        cuts = sorted({0, len(data), *(chosen.randrange(len(data)) for _ in range(len(data) // 12))})
        return [data[start:end] for start, end in pairwise(cuts)]

    return split


def event(data: object, name: str = "") -> bytes:
    """Returns one event with the data as JSON."""
    named = f"event: {name}\n".encode() if name else b""
    return b"%bdata: %b\n\n" % (named, msgspec.json.encode(data))


def stream(events: Iterable[bytes], *then: Then, split: Split = whole) -> Reply:
    """Returns a reply that streams the events and then behaves as `then` specifies."""
    data = b"".join(events)
    return Reply(headers=EVENT_STREAM, framing="chunked", pieces=(*(split(data) if data else ()), *then))
