"""Default HTTP settings, in a module of their own so that `settings` doesn't import Litestar."""

from polyant.domain.limits import RateLimit

RATE_LIMIT = RateLimit(20, 60)
MAX_BODY_BYTES = 4 * 2**20
SHUTDOWN_SECONDS = 10.0
HEARTBEAT_SECONDS = 15.0
STREAM_HEAD_SECONDS = 5.0
REQUEST_SECONDS = 20.0
STALL_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 75.0
DRAIN_SECONDS = 2.0
