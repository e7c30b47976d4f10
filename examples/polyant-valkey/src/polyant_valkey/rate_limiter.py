"""RateLimiter that keeps its log in Valkey or Redis, shared by all workers and hosts."""

from typing import Annotated, Self

import msgspec
from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from polyant.domain.errors import StorageUnavailableError, UnavailableError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter

_PREFIX = b"polyant:limit:"
_MICROSECONDS = 1_000_000

# Each call is a member of a sorted set: its name is its time, its score the end of its window. The time is the
# server's, so that clients with wrong clocks share a log, and never before that of an earlier call.
_SCRIPT = """
local window, requests, counts = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local hits = {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local at = tonumber(member)
  if at <= now - window then redis.call('ZREM', KEYS[1], member) else hits[#hits + 1] = at end
end
table.sort(hits)
if #hits > 0 then now = math.max(now, hits[#hits]) end
local allowed = #hits < requests
if allowed and counts then
  if #hits > 0 then now = math.max(now, hits[#hits] + 1) end
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + window), string.format('%.0f', now))
  hits[#hits + 1] = now
end
if #hits == 0 then return {1, 0, 0, 0} end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', math.ceil(last[2] / 1000)))
return {allowed and 1 or 0, #hits, now - hits[math.max(1, #hits - requests + 1)], now - hits[#hits]}
"""


class ValkeySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The variables `POLYANT_VALKEY_…`."""

    url: Annotated[
        str,
        msgspec.Meta(
            description="Address, such as redis://:PASSWORD@HOST:6379/0", pattern=r"^(valkey|redis|unix)s?://."
        ),
    ] = "redis://localhost:6379/0"
    timeout_seconds: Annotated[float, msgspec.Meta(description="Time for an answer", gt=0, le=60)] = 1.0


class ValkeyRateLimiter(RateLimiter):
    """Counts each call in one script on the server, which runs no other command meanwhile."""

    settings = ValkeySettings

    def __init__(self, *, store: ValkeySettings) -> None:
        self._client: Valkey = Valkey.from_url(
            store.url, socket_timeout=store.timeout_seconds, socket_connect_timeout=store.timeout_seconds
        )
        self._script = self._client.register_script(_SCRIPT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def health(self) -> None:
        try:
            await self._client.ping()
        except (ValkeyError, OSError) as error:
            raise UnavailableError("The rate limit store is unavailable", hint="Check POLYANT_VALKEY_URL") from error

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        return await self._state(key, limit, counts=True)

    async def peek(self, key: str, limit: RateLimit) -> LimitState:
        return await self._state(key, limit, counts=False)

    async def _state(self, key: str, limit: RateLimit, *, counts: bool) -> LimitState:
        window = limit.seconds * _MICROSECONDS
        try:
            found = await self._script(keys=[_PREFIX + key.encode()], args=[window, limit.requests, int(counts)])
        except (ValkeyError, OSError) as error:
            raise StorageUnavailableError(store="rate limit store", hint="Check POLYANT_VALKEY_URL") from error
        allowed, hits, blocking, newest = map(int, found)
        if not hits:
            return LimitState.unused(limit)
        return LimitState.of_window(
            limit, hits, blocking=blocking / _MICROSECONDS, newest=newest / _MICROSECONDS, allowed=bool(allowed)
        )
