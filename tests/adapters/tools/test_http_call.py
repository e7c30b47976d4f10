from typing import Any

import pytest

from polyant.adapters.tools.http_call import HttpCall, HttpRequest
from polyant.domain.tools import ToolError

URL = "https://example.com/path?a=1&b=%2F"


def call(method: Any = "GET", url: str = URL, **more: Any) -> HttpCall:
    return HttpCall.of(HttpRequest(url=url, method=method, **more))


def test_url_is_unchanged_except_for_the_fragment() -> None:
    """A signature may cover the exact spelling, such as `%2F`."""
    assert str(call(url=f"{URL}#part").url) == URL


@pytest.mark.parametrize(
    ("written", "called"),
    [
        ("http://example.com", "http://example.com/"),
        ('http://example.com/é?q={"a":1}', "http://example.com/%C3%A9?q=%7B%22a%22:1%7D"),
        ("http://example.com/100%", "http://example.com/100%25"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://example.com?q=%2f", "http://example.com/?q=%2f"),
    ],
)
def test_url_is_encoded_where_it_needs_to_be(written: str, called: str) -> None:
    assert str(call(url=written).url) == called


@pytest.mark.parametrize("url", ["HTTP://EXAMPLE.COM/", "hTTps://example.com/"])
def test_scheme_and_host_may_be_upper_case(url: str) -> None:
    assert str(call(url=url).url) == url.lower()


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/_GET",
        "ws://example.com/",
        "tcp://example.com/",
        "unix:///run/docker.sock",
        "http+unix://%2Frun%2Fdocker.sock/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "example.com",
        "//example.com/",
        "/path",
    ],
)
def test_scheme_other_than_http_and_https_is_refused(url: str) -> None:
    with pytest.raises(ToolError, match="Only absolute URLs that start with http:// or https://"):
        call(url=url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com@127.0.0.1/",
        "http://example.com:80@127.0.0.1/",
        "http://user:password@example.com/",
        "http://:password@example.com/",
        "http://user@example.com/",
    ],
)
def test_url_with_credentials_is_refused_without_showing_them(url: str) -> None:
    with pytest.raises(ToolError, match="user name or password") as caught:
        call(url=url)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://", "http:///path", "http://exa%6dple.com/", "http://[fe80::1%25eth0]/", "http://a,b/"]
)
def test_url_without_a_valid_host_is_refused(url: str) -> None:
    with pytest.raises(ToolError, match="no valid host"):
        call(url=url)


@pytest.mark.parametrize("url", ["http://[::1", "http://example.com:99999/", "http://example.com:http/"])
def test_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(ToolError, match="isn't a URL"):
        call(url=url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/\r\nX-Injected: 1",
        "http://example.com/ HTTP/1.1\r\nHost: inside\r\n\r\n",
        "http://exa\tmple.com/",
        " http://example.com/",
        "http://example.com/a b",
        "http://evil.example\\@127.0.0.1/",
        "http:\\\\example.com/",
        "http://example.com/\0",
        "http://example.com/\ud800",
    ],
)
def test_url_with_invalid_characters_is_refused(url: str) -> None:
    with pytest.raises(ToolError, match="spaces, control characters or backslashes"):
        call(url=url)


def test_header_names_are_sent_in_lower_case() -> None:
    assert call(headers={"Authorization": "Bearer x", "X-Empty": ""}).headers == {
        "authorization": "Bearer x",
        "x-empty": "",
    }


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE"),
        *("Trailer", "Expect", "Proxy-Authorization", "Proxy-Connection", "Accept-Encoding"),
    ],
)
def test_connection_headers_are_refused(name: str) -> None:
    with pytest.raises(ToolError, match=f"Leave out the header {name.lower()}"):
        call(headers={name: "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "1"),
        ("X Y", "1"),
        ("X:", "1"),
        ("X\r\nY", "1"),
        ("Host\n", "1"),
        ("é", "1"),
        ("X", "1\r\nY: 2"),
        ("X", "1\n"),
        ("X", "\0"),
        ("X", "é"),
        ("X", "x" * 9_000),
        ("X" * 129, "1"),
    ],
)
def test_header_injection_is_refused(name: str, value: str) -> None:
    with pytest.raises(ToolError, match="A header needs a name without spaces"):
        call(headers={name: value})


def test_json_body_is_sent_as_json() -> None:
    made = call("POST", json={"a": [1, None, "é"]})
    assert (made.body, made.headers) == ('{"a":[1,null,"é"]}'.encode(), {"content-type": "application/json"})


def test_text_body_is_sent_as_text() -> None:
    made = call("PUT", text="é")
    assert (made.body, made.headers) == ("é".encode(), {"content-type": "text/plain; charset=utf-8"})


def test_content_type_may_be_given() -> None:
    made = call("PATCH", text="a=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert made.headers == {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("body", [{"json": {}}, {"json": []}, {"text": ""}])
def test_empty_body_is_sent(body: dict[str, Any]) -> None:
    assert call("POST", **body).body is not None
    assert call("POST").body is None


def test_two_bodies_are_refused() -> None:
    with pytest.raises(ToolError, match="not both"):
        call("POST", json={}, text="")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_body_of_a_bodiless_method_is_refused(method: str) -> None:
    with pytest.raises(ToolError, match=f"{method} has no body"):
        call(method, text="x")


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (301, "HEAD", "HEAD"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
        (302, "GET", "GET"),
    ],
)
def test_redirect_keeps_or_changes_the_method_as_http_specifies(status: int, method: str, then: str) -> None:
    body = {} if method in {"GET", "HEAD"} else {"text": "x"}
    redirected = call(method, headers={"Content-Language": "en"}, **body).redirected(status, "/there")
    assert (redirected.method, str(redirected.url)) == (then, "https://example.com/there")
    kept = method == then
    assert redirected.body == (b"x" if kept and body else None)
    assert ("content-language" in redirected.headers) == kept


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("?q=2", "https://example.com/path?q=2"),
        ("other", "https://example.com/other"),
        ("//other.example/x", "https://other.example/x"),
        ("http://other.example", "http://other.example/"),
        ("https://other.example/?sig=a%2Fb%3D", "https://other.example/?sig=a%2Fb%3D"),
        ("/a b", "https://example.com/a%20b"),
        ("/é", "https://example.com/%C3%A9"),
    ],
)
def test_redirect_may_be_relative(location: str, url: str) -> None:
    assert str(call().redirected(302, location).url) == url


SECRET = {"Authorization": "Bearer x", "Cookie": "c=1", "X-Api-Key": "k", "Accept": "text/html"}


@pytest.mark.parametrize(
    "location", ["http://example.com/", "https://example.com:8443/", "https://www.example.com/", "//evil.example/"]
)
def test_secret_header_is_not_sent_to_another_origin(location: str) -> None:
    assert call(headers=SECRET).redirected(307, location).headers == {"accept": "text/html"}


@pytest.mark.parametrize("location", ["/x", "https://example.com:443/", "https://EXAMPLE.com/"])
def test_headers_are_kept_within_an_origin(location: str) -> None:
    made = call(headers=SECRET)
    assert made.redirected(307, location).headers == made.headers


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://x/", "http://user@127.0.0.1/", "http://[::1", "http://"]
)
def test_redirect_to_an_unsupported_url_is_refused(location: str) -> None:
    with pytest.raises(ToolError, match=r"example\.com redirects to a URL that can't be called"):
        call().redirected(302, location)


def test_repr_shows_no_headers() -> None:
    assert "Bearer" not in repr(call(headers=SECRET))
