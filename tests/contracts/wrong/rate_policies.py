"""Rate policies that each break one promise."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from polyant.adapters.rate_limits.default_rate_policy import DefaultRatePolicy
from polyant.domain.limits import RateLimit
from polyant.domain.ports.rate_policy import CallerLimit, RateCaller
from polyant.domain.rate_limits import RateLimits
from polyant.testing.rate_policy import RatePolicyContract

LIMIT = RateLimit(20, 60)


class PolicyContract(RatePolicyContract):
    made: type[DefaultRatePolicy]

    @pytest.fixture
    def rate_policy(self) -> DefaultRatePolicy:
        return self.made(RateLimits(address=LIMIT, channel_user=LIMIT, channel_instance=LIMIT))


class TestRight(PolicyContract):
    made = DefaultRatePolicy


class SharesKey(DefaultRatePolicy):
    """Counts all limits of a caller under one key."""

    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        return [replace(each, key="caller") for each in super().limits_of(caller)]


class TestKeyShared(PolicyContract):
    made = SharesKey


class KeysByIdentity(DefaultRatePolicy):
    """Counts under the identity of the object."""

    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        return [replace(each, key=f"{each.key} {id(caller)}") for each in super().limits_of(caller)]


class TestKeysByIdentity(PolicyContract):
    made = KeysByIdentity


class Counts(DefaultRatePolicy):
    """Counts calls itself, and limits each third one."""

    def __init__(self, limits: RateLimits) -> None:
        super().__init__(limits)
        self._calls = itertools.count()

    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        return () if next(self._calls) % 3 else super().limits_of(caller)


class TestCallsCounted(PolicyContract):
    made = Counts


class ReadsFile(DefaultRatePolicy):
    """Reads the limits for each call."""

    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        return super().limits_of(caller) if Path(__file__).read_bytes() else ()


class TestFileRead(PolicyContract):
    made = ReadsFile


class LimitsNothing(DefaultRatePolicy):
    """Limits callers that it doesn't know to no call at all, which no limiter can count."""

    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        return super().limits_of(caller) or [CallerLimit("unknown", replace(LIMIT, requests=0))]


class TestZeroAsRefusal(PolicyContract):
    made = LimitsNothing


class NeedsAddress(DefaultRatePolicy):
    """Expects the address of each caller, which channels don't have."""

    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        if caller.address is None:
            raise ValueError("no address")
        return super().limits_of(caller)


class TestAddressNeeded(PolicyContract):
    made = NeedsAddress


class WithoutKeys(DefaultRatePolicy):
    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        return [replace(each, key="") for each in super().limits_of(caller)[:1]]


class TestKeyEmpty(PolicyContract):
    made = WithoutKeys


class ReturnsTuples(DefaultRatePolicy):
    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        return [(each.key, each.limit) for each in super().limits_of(caller)]  # type: ignore[misc]


class TestTuplesReturned(PolicyContract):
    made = ReturnsTuples
