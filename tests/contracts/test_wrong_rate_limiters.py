import pytest

from support.refusals import refusals_of

KEYS = {"test_keys_that_differ_little_are_independent"}
PROCESSES = {"test_concurrent_calls_of_two_processes_do_not_exceed_limit"}
REFUSALS = {
    "TestSharedWithoutOpener": {
        *PROCESSES,
        "test_concurrent_calls_of_two_limiters_do_not_exceed_limit",
        "test_limiters_on_one_store_share_the_log",
    },
    "TestLargeLimitsUnlimited": {"test_large_limit_is_exact"},
    "TestCaseFolded": KEYS,
    "TestUnicodeFolded": KEYS,
    "TestKeysTruncated": KEYS,
    "TestKeysStripped": KEYS,
    "TestForgottenAfterTenSeconds": {"test_call_stays_in_log_for_a_long_window"},
    "TestAtomicOnlyWithinProcess": PROCESSES,
    "TestAtomicOnlyWithinLimiter": {*PROCESSES, "test_concurrent_calls_of_two_limiters_do_not_exceed_limit"},
}


@pytest.mark.parametrize("wrong", REFUSALS)
def test_kit_refuses_wrong_limiter(wrong: str) -> None:
    assert refusals_of("rate_limiters")[wrong] == REFUSALS[wrong]


def test_every_wrong_limiter_is_listed() -> None:
    assert refusals_of("rate_limiters").keys() == REFUSALS.keys()
