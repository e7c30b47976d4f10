"""The contract of the port RatePolicy."""

import msgspec
import pytest

from polyant.domain.instances import Slug
from polyant.domain.ports.rate_policy import CallerLimit, RateCaller, RatePolicy
from polyant.testing.blocking_calls import reading_and_writing_calls
from polyant.testing.contract import Contract, proves

_CALLS = 10
_CALLERS = (
    RateCaller(),
    RateCaller(address="203.0.113.7"),
    RateCaller(address="2001:db8::/64"),
    RateCaller(address="203.0.113.7", instance=Slug("bot")),
    RateCaller(address="203.0.113.7", instance=Slug("bot"), key_id="key_0123456789ab"),
    RateCaller(instance=Slug("bot"), channel="telegram", channel_user="hash"),
    RateCaller(instance=Slug("bot"), channel="slack"),
)


class RatePolicyContract(Contract):
    """The tests that every RatePolicy must pass; subclasses provide one."""

    @pytest.fixture
    def rate_policy(self) -> RatePolicy:
        raise NotImplementedError("return a RatePolicy")

    def test_implements_the_port(self, rate_policy: RatePolicy) -> None:
        assert isinstance(rate_policy, RatePolicy)

    @proves("Returns the limits in the order in which they are counted; empty if the caller isn't limited.")
    @pytest.mark.parametrize("caller", _CALLERS)
    def test_limits_can_be_counted(self, rate_policy: RatePolicy, caller: RateCaller) -> None:
        for each in rate_policy.limits_of(caller):
            assert isinstance(each, CallerLimit)
            assert each.key
            assert each.limit.requests > 0
            assert each.limit.seconds > 0

    @proves("Equal callers have equal limits, and each limit has a key of its own.")
    @pytest.mark.parametrize("caller", _CALLERS)
    def test_equal_callers_have_equal_limits(self, rate_policy: RatePolicy, caller: RateCaller) -> None:
        equal = [msgspec.structs.replace(caller) for _ in range(_CALLS)]
        assert len({tuple(rate_policy.limits_of(each)) for each in equal}) == 1

    @proves("It counts nothing itself, and makes no I/O.")
    @pytest.mark.parametrize("caller", _CALLERS)
    def test_policy_neither_reads_nor_writes(self, rate_policy: RatePolicy, caller: RateCaller) -> None:
        """It runs in the event loop, for each call."""
        with reading_and_writing_calls() as calls:
            rate_policy.limits_of(caller)
        assert calls == []

    @proves("Equal callers have equal limits, and each limit has a key of its own.")
    @pytest.mark.parametrize("caller", _CALLERS)
    def test_each_limit_has_a_key_of_its_own(self, rate_policy: RatePolicy, caller: RateCaller) -> None:
        keys = [each.key for each in rate_policy.limits_of(caller)]
        assert len(keys) == len({*keys})
