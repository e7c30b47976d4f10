import pytest

from polyant.adapters.rate_limits.default_rate_policy import DefaultRatePolicy
from polyant.domain.instances import Slug
from polyant.domain.limits import RateLimit
from polyant.domain.ports.rate_policy import CallerLimit, RateCaller
from polyant.domain.rate_limits import RateLimits
from polyant.testing.rate_policy import RatePolicyContract

ADDRESS, USER, INSTANCE = RateLimit(20, 60), RateLimit(3, 600), RateLimit(9, 600)
BOT = Slug("bot")


class TestDefaultRatePolicy(RatePolicyContract):
    @pytest.fixture
    def rate_policy(self) -> DefaultRatePolicy:
        limits = RateLimits(address=ADDRESS, channel_user=USER, channel_instance=INSTANCE)
        return DefaultRatePolicy(limits)

    def test_chat_requests_are_limited_by_address_once(self, rate_policy: DefaultRatePolicy) -> None:
        before = RateCaller(address="203.0.113.7")
        assert rate_policy.limits_of(before) == (CallerLimit("chat:203.0.113.7", ADDRESS),)
        after = RateCaller(address="203.0.113.7", instance=BOT, key_id="key_0123456789ab")
        assert rate_policy.limits_of(after) == ()

    def test_channels_are_limited_by_user_and_instance(self, rate_policy: DefaultRatePolicy) -> None:
        limits = rate_policy.limits_of(RateCaller(instance=BOT, channel="telegram", channel_user="u"))
        assert [each.limit for each in limits] == [USER, INSTANCE]
        others = (
            RateCaller(instance=BOT, channel="telegram", channel_user="v"),
            RateCaller(instance=BOT, channel="slack", channel_user="u"),
            RateCaller(instance=Slug("other"), channel="telegram", channel_user="u"),
        )
        for other in others:
            assert rate_policy.limits_of(other)[0].key != limits[0].key


def test_limits_can_be_off() -> None:
    policy = DefaultRatePolicy(RateLimits(address=None, channel_user=None, channel_instance=None))
    assert policy.limits_of(RateCaller(address="203.0.113.7")) == ()
    assert policy.limits_of(RateCaller(instance=BOT, channel="telegram", channel_user="u")) == ()


def test_channel_users_are_limited_by_default() -> None:
    assert RateLimits().channel_user == RateLimit(20, 600)
