"""The server-sent events of the kit."""

from polyant.testing.event_stream import EVENT_STREAM, Split, at_random, byte_by_byte, event, stream, whole

__all__ = ["EVENT_STREAM", "Split", "at_random", "byte_by_byte", "event", "stream", "whole"]
