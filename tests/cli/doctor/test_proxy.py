"""`polyant doctor --url` through proxies that are configured well or badly."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.commands import Polyant
from support.doctor import Doctor
from support.process import Server, serving

Headers = dict[str, str]
Change = Callable[[Headers], Headers]

CLIENT = "198.51.100.7"


@contextmanager
def proxy_before(server: Server, change: Change) -> Iterator[str]:
    """Yields the URL of a proxy that changes the headers of each request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host, _, port = server.url.removeprefix("http://").partition(":")
            connection = http.client.HTTPConnection(host, int(port))
            connection.request("GET", self.path, headers=change({k.lower(): v for k, v in self.headers.items()}))
            response = connection.getresponse()
            body = response.read()
            self.send_response(response.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        def log_message(self, *_: object) -> None: ...

    with _running(Handler) as url:
        yield url


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def replacing(headers: Headers) -> Headers:
    return {**headers, "x-forwarded-for": CLIENT, "x-forwarded-proto": "http"}


def appending(headers: Headers) -> Headers:
    given = headers.get("x-forwarded-for")
    return {**headers, "x-forwarded-for": CLIENT if given is None else f"{given}, {CLIENT}"}


def passing(headers: Headers) -> Headers:
    return headers


def removing(headers: Headers) -> Headers:
    return {name: value for name, value in headers.items() if name != "x-forwarded-for"}


def claiming_https(headers: Headers) -> Headers:
    return {**replacing(headers), "x-forwarded-proto": "https"}


def changing_host(headers: Headers) -> Headers:
    return {**replacing(headers), "host": "localhost"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Servers on the same data, by TRUST_PROXY."""
    folder = tmp_path_factory.mktemp("proxied")
    with serving(folder, TRUST_PROXY="0") as none, serving(folder, TRUST_PROXY="1") as one:
        yield {"0": none, "1": one}


@pytest.fixture
def run(servers: dict[str, Server], environ: pytest.MonkeyPatch, findings: Doctor) -> Callable[..., list[str]]:
    environ.chdir(servers["0"].folder)

    def run(change: Change, trust: str) -> list[str]:
        with proxy_before(servers[trust], change) as url:
            found = findings("--url", url, TRUST_PROXY=trust)
        assert all((state, about) == ("fault", "proxy") for state, about, _ in found)
        return [text for _, _, text in found]

    return run


@pytest.mark.parametrize("change, trust", [(replacing, "1"), (appending, "1"), (passing, "0")])
def test_right_number_of_proxies_is_fine(run: Callable[..., list[str]], change: Change, trust: str) -> None:
    assert run(change, trust) == []


@pytest.mark.parametrize(
    "change, trust, problem, fix",
    [
        (replacing, "0", "but TRUST_PROXY is 0: all clients share one rate limit", "Set TRUST_PROXY"),
        (appending, "0", "but TRUST_PROXY is 0: all clients share one rate limit", "Set TRUST_PROXY"),
        (passing, "1", "callers choose the address that rate limits count", "replace X-Forwarded-For"),
        (
            removing,
            "1",
            "arrive with 0 entries of X-Forwarded-For, but TRUST_PROXY is 1",
            "append the client's address",
        ),
        (claiming_https, "1", "the server saw https instead of http", "X-Forwarded-Proto"),
        (changing_host, "1", "the server saw the host localhost instead of 127.0.0.1:", "pass the Host header"),
    ],
)
def test_wrong_headers_are_faults(
    run: Callable[..., list[str]], change: Change, trust: str, problem: str, fix: str
) -> None:
    [text] = run(change, trust)
    assert problem in text
    assert fix in text


def test_description_of_the_request_is_shown(
    servers: dict[str, Server], environ: pytest.MonkeyPatch, polyant: Polyant
) -> None:
    environ.chdir(servers["1"].folder)
    with proxy_before(servers["1"], replacing) as url:
        done = polyant("doctor", "--url", f"{url}/v1/", TRUST_PROXY="1", API_PORT="0")
    assert f"ok       proxy: the server saw the client {CLIENT} and the origin {url} through {url}\n" in done.stdout


def test_other_auth_secret_is_a_fault(
    servers: dict[str, Server], environ: pytest.MonkeyPatch, findings: Doctor
) -> None:
    environ.chdir(servers["0"].folder)
    [(state, about, text)] = findings("--url", servers["0"].url, AUTH_SECRET="x" * 32)
    assert (state, about) == ("fault", "proxy")
    assert "doesn't recognise this command (404). Run it with the AUTH_SECRET" in text


class Redirect(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(301)
        self.send_header("Location", f"https://ai.example{self.path}")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


class BadGateway(Redirect):
    def do_GET(self) -> None:
        self.send_error(502)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "handler, problem, fix",
    [
        (
            Redirect,
            "redirects to https://ai.example, and clients don't repeat a POST",
            "https://ai.example/v1 as base URL",
        ),
        (BadGateway, "/health responds 502, not as a server of Polyant does", "where the proxy sends requests"),
    ],
)
def test_unreached_server_is_a_fault(
    findings: Doctor, handler: type[BaseHTTPRequestHandler], problem: str, fix: str
) -> None:
    with _running(handler) as url:
        [(state, about, text)] = findings("--url", url)
    assert (state, about) == ("fault", "proxy")
    assert problem in text
    assert fix in text


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://no.such.host.invalid"])
def test_unreachable_address_is_a_fault(findings: Doctor, url: str) -> None:
    [(state, about, text)] = findings("--url", url)
    assert (state, about) == ("fault", "proxy")
    assert f"can't call {url}: " in text


@pytest.mark.parametrize(
    "url", ["ai.example", "ftp://ai.example", "https://", "https://me:pass@ai.example", "http://a:x"]
)
def test_other_text_is_a_usage_error(polyant: Polyant, tmp_path: Path, url: str) -> None:
    done = polyant("doctor", "--url", url)
    assert done.code == 2
    assert "argument --url: must be a URL such as https://assistants.example.com" in done.stderr
