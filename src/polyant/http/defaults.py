"""What holds where the operator decides nothing; apart, so that the settings can read it without the framework."""

from polyant.domain.limits import RateLimit

RATE_LIMIT = RateLimit(20, 60)
MAX_BODY_BYTES = 4 * 2**20
SHUTDOWN_SECONDS = 10.0
HEARTBEAT_SECONDS = 15.0
STREAM_HEAD_SECONDS = 5.0
