"""The limits of the settings."""

from collections.abc import Iterator, Sequence

from polyant.domain.ports.rate_policy import CallerLimit, RateCaller, RatePolicy
from polyant.domain.rate_limits import RateLimits


class DefaultRatePolicy(RatePolicy):
    """Limits chat requests by address, and turns of channels by user and by instance.

    Args:
        limits: The operator's limits.
    """

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits

    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        if caller.channel is not None:
            return tuple(self._of_channel(caller))
        if self._limits.address is None or caller.address is None or caller.instance is not None:
            return ()
        return (CallerLimit(f"chat:{caller.address}", self._limits.address),)

    def _of_channel(self, caller: RateCaller) -> Iterator[CallerLimit]:
        if self._limits.channel_user is not None and caller.channel_user is not None:
            key = f"channel-user:{caller.channel}:{caller.instance}:{caller.channel_user}"
            yield CallerLimit(key, self._limits.channel_user)
        if self._limits.channel_instance is not None:
            yield CallerLimit(f"channel-instance:{caller.instance}", self._limits.channel_instance)
