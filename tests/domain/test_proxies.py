import pytest

from polyant.domain.errors import InvalidInputError
from polyant.domain.proxies import Proxy, ProxyRules, parse_direct_hosts, parse_proxy

WEB, TLS = Proxy(url="http://web:1"), Proxy(url="http://tls:2")


def test_scheme_of_the_call_selects_the_proxy() -> None:
    rules = ProxyRules(http=WEB, https=TLS)
    assert rules.proxy_for("http://a.example/v1") == WEB
    assert rules.proxy_for("https://a.example/v1") == TLS
    assert ProxyRules(https=TLS).proxy_for("http://a.example") is None


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("*", "http://a.example"),
        ("a.example", "http://a.example/v1"),
        ("a.example", "http://sub.a.example"),
        (".a.example", "http://a.example"),
        ("*.a.example", "http://sub.a.example"),
        ("A.Example", "http://a.example."),
        ("b.example, a.example", "http://a.example"),
        ("b.example a.example", "http://a.example"),
        ("a.example:8080", "http://a.example:8080"),
        ("a.example:80", "http://a.example"),
        ("127.0.0.1", "http://127.0.0.1:11434/v1"),
        ("10.0.0.0/8", "http://10.1.2.3"),
        ("::1", "http://[::1]:80"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("fd00::/8", "http://[fd00::5]"),
    ],
)
def test_listed_host_is_called_directly(entry: str, url: str) -> None:
    assert ProxyRules(http=WEB, direct_hosts=parse_direct_hosts(entry)).proxy_for(url) is None


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("", "http://a.example"),
        ("a.example", "http://ba.example"),
        ("a.example", "http://example"),
        ("a.example:8080", "http://a.example"),
        ("10.0.0.0/8", "http://11.1.2.3"),
        ("10.0.0.0/8", "http://a.example"),
        ("10.0.0.0/99", "http://10.0.0.1"),
        (".", "http://a.example"),
        ("localhost", "http://127.0.0.1"),
    ],
)
def test_other_hosts_are_called_through_the_proxy(entry: str, url: str) -> None:
    assert ProxyRules(http=WEB, direct_hosts=parse_direct_hosts(entry)).proxy_for(url) == WEB


@pytest.mark.parametrize("text", ["http://proxy:3128", "http://proxy:3128/", "proxy:3128", "HTTP://proxy:3128"])
def test_proxy_is_parsed(text: str) -> None:
    assert parse_proxy(text) == Proxy(url="http://proxy:3128")


def test_credentials_are_separated_and_never_shown() -> None:
    proxy = parse_proxy("http://ann:s%40crets%3A1@proxy:3128")
    assert proxy.url == "http://proxy:3128"
    assert proxy.authorization is not None
    assert proxy.authorization.reveal() == "Basic YW5uOnNAY3JldHM6MQ=="
    assert not any(part in repr(proxy) for part in ("s@crets", "s%40", "YW5u"))


@pytest.mark.parametrize("text", ["socks5://p:1", "https://p:1", "http://", "http://u:hidden@", "http://p/path", "p q"])
def test_invalid_proxy_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_proxy(text)
    assert caught.value.message == "A proxy must be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
