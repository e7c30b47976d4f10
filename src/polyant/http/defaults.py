"""Defaults of the HTTP settings; a module of their own, so that the settings can read them without the framework."""

from polyant.domain.limits import RateLimit

RATE_LIMIT = RateLimit(20, 60)
MAX_BODY_BYTES = 4 * 2**20
SHUTDOWN_SECONDS = 10.0
HEARTBEAT_SECONDS = 15.0
STREAM_HEAD_SECONDS = 5.0
