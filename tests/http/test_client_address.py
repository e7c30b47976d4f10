"""The rate limiter's key for a client: its address, also behind proxies."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.http.client_address import _parsed_network, client_key, scheme_of


def key(peer: str | None, *forwarded: bytes, hops: int = 0) -> str:
    scope: Any = {
        "client": None if peer is None else (peer, 1),
        "headers": [(b"x-forwarded-for", line) for line in forwarded],
    }
    return client_key(scope, trusted_hops=hops)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("no address", "no address"),
        ("", ""),
        (None, "local"),
    ],
)
def test_key_is_the_address_of_the_peer(peer: str | None, expected: str) -> None:
    assert key(peer) == expected


@pytest.mark.parametrize(
    ("hops", "lines", "expected"),
    [
        (1, [b"192.0.2.1"], "192.0.2.1"),
        (1, [b"198.51.100.9, 192.0.2.1"], "192.0.2.1"),
        (1, [b"198.51.100.9,192.0.2.1"], "192.0.2.1"),
        (1, [b"198.51.100.9", b"192.0.2.1"], "192.0.2.1"),
        (2, [b"198.51.100.9, 192.0.2.1"], "198.51.100.9"),
        (2, [b"198.51.100.9", b"192.0.2.1"], "198.51.100.9"),
        (3, [b"forged, 192.0.2.3, 192.0.2.2", b"192.0.2.1"], "192.0.2.3"),
        (1, [b"  192.0.2.1\t"], "192.0.2.1"),
        (1, [b"192.0.2.1:51000"], "192.0.2.1"),
        (1, [b"[2001:db8:1:2::5]:51000"], "2001:db8:1:2::/64"),
        (1, [b"[2001:db8:1:2::5]"], "2001:db8:1:2::/64"),
        (1, [b"2001:db8:1:2::5"], "2001:db8:1:2::/64"),
        (1, [b"::ffff:192.0.2.1"], "192.0.2.1"),
    ],
)
def test_key_behind_proxies_is_the_address_that_many_hops_from_the_right(
    hops: int, lines: list[bytes], expected: str
) -> None:
    assert key("10.0.0.1", *lines, hops=hops) == expected


@pytest.mark.parametrize(
    ("hops", "lines"),
    [
        (1, []),
        (1, [b""]),
        (1, [b"unknown"]),
        (1, [b"192.0.2.1, "]),
        (1, [b"192.0.2.1, _hidden"]),
        (1, [b"192.0.2.256"]),
        (1, [b"192.0.2.1.5"]),
        (1, [b"\xff\xfe"]),
        (1, [b"[2001:db8::1"[:3]]),
        (2, [b"192.0.2.1"]),
        (3, [b"192.0.2.1", b"192.0.2.2"]),
        (2, [b"rubbish, 192.0.2.1"]),
    ],
)
def test_invalid_and_missing_entries_fall_back_to_the_peer(hops: int, lines: list[bytes]) -> None:
    assert key("10.0.0.1", *lines, hops=hops) == "10.0.0.1"


@given(st.lists(st.binary(max_size=40) | st.from_regex(rb"[0-9a-f:.\[\]%, ]*"), max_size=3), st.integers(0, 4))
def test_any_header_yields_an_address(lines: list[bytes], hops: int) -> None:
    assert set(key("10.0.0.1", *lines, hops=hops)) <= set("0123456789abcdef:./")


@pytest.mark.parametrize(
    ("own", "forwarded", "hops", "scheme"),
    [
        ("http", [], 1, "http"),
        ("https", [], 0, "https"),
        ("http", ["https"], 0, "http"),
        ("http", ["https"], 1, "https"),
        ("https", ["http"], 1, "http"),
        ("http", [" HTTPS "], 1, "https"),
        ("http", ["https"], 2, "https"),
        ("http", ["https, http"], 1, "http"),
        ("http", ["https, http"], 2, "https"),
        ("http", ["http", "https"], 1, "https"),
        ("http", ["gopher"], 1, "http"),
        ("http", [""], 1, "http"),
    ],
)
def test_scheme_is_taken_from_a_trusted_proxy(own: str, forwarded: list[str], hops: int, scheme: str) -> None:
    scope: Any = {"scheme": own, "headers": [(b"x-forwarded-proto", value.encode()) for value in forwarded]}
    assert scheme_of(scope, trusted_hops=hops) == scheme


def test_rubbish_in_the_header_is_not_kept_in_memory() -> None:
    before = _parsed_network.cache_info().currsize
    for number in range(100):
        assert key("203.0.113.7", b"%d" % number * 1_000, hops=1) == "203.0.113.7"
    assert _parsed_network.cache_info().currsize <= before + 1
