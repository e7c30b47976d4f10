import pytest

from polyant.adapters.channels.platform_hosts import PlatformHosts

HOSTS = PlatformHosts("example.com", "files.example.net", origins=("http://127.0.0.1:8080",))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/x",
        "https://example.com:443/x",
        "https://api.example.com/x?y=z",
        "https://EXAMPLE.com/x",
        "https://example.com./x",
        "wss://socket.example.com/link",
        "https://files.example.net/x",
        "http://127.0.0.1:8080/x",
        "ws://127.0.0.1:8080/x",
    ],
)
def test_own_hosts_are_included(url: str) -> None:
    assert HOSTS.include(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "ws://example.com/x",
        "https://example.com:8443/x",
        "https://notexample.com/x",
        "https://example.com.evil.test/x",
        "https://example.net/x",
        "https://evil.test/example.com",
        "https://example.com@evil.test/x",
        "https://evil.test#.example.com",
        "https://evil.test\\.example.com/x",
        "https://127.0.0.1/x",
        "http://127.0.0.1:8081/x",
        "https://127.0.0.1:8080/x",
        "file://example.com/x",
        "//example.com/x",
        "example.com",
        "https://",
        "",
    ],
)
def test_other_hosts_are_not_included(url: str) -> None:
    assert not HOSTS.include(url)
