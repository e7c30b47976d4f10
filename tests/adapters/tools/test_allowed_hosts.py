import pytest
from yarl import URL

from polyant.adapters.tools.allowed_hosts import AllowedHosts
from polyant.domain.errors import InvalidInputError


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("intranet", "http://intranet/"),
        ("intranet", "https://intranet/x?y"),
        ("Intranet.Example", "http://INTRANET.example:80/"),
        ("intranet:8080", "http://intranet:8080/"),
        ("intranet:8080", "https://intranet:8080/"),
        ("intranet:443", "https://intranet/"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000/"),
        ("[::1]:9000", "http://[0:0::1]:9000/"),
        ("[::1]", "http://[::1]/"),
        ("bücher.example", "http://xn--bcher-kva.example/"),
    ],
)
def test_listed_host_is_allowed(entry: str, url: str) -> None:
    assert URL(url) in AllowedHosts([entry])


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("intranet", "http://intranet:8080/"),
        ("intranet", "https://intranet:80/"),
        ("intranet:8080", "http://intranet/"),
        ("intranet:80", "https://intranet/"),
        ("intranet", "http://intranet./"),
        ("intranet", "http://sub.intranet/"),
        ("intranet", "http://intranet.evil.example/"),
        ("intranet", "http://evil.example/intranet"),
        ("127.0.0.1", "http://127.0.0.2/"),
        ("127.0.0.1", "http://127.1/"),
        ("localhost", "http://127.0.0.1/"),
    ],
)
def test_other_host_or_port_is_not_allowed(entry: str, url: str) -> None:
    assert URL(url) not in AllowedHosts([entry])


def test_unlisted_host_is_not_allowed() -> None:
    assert URL("http://localhost/") not in AllowedHosts([])


@pytest.mark.parametrize("entry", ["", "a/b", "http://a", "a@b", "a?b", "a#b", "a b", "a:b", "::1", "a:99999", "a\\b"])
def test_invalid_entry_is_refused(entry: str) -> None:
    with pytest.raises(InvalidInputError, match=r"Invalid allowed host .* write it as host or host:port"):
        AllowedHosts([entry])
