"""A provider's key is sent only to the address that it was entered for."""

from collections.abc import Iterator

import httpx
import pytest

from support.openai_replies import openai_responder
from support.process import Server, eventually, run_polyant, serving
from support.upstream import ScriptedUpstream, UpstreamThread, upstream_in_thread

OWN = "instance-key-0123456789"
OPERATORS = "operator-key-0123456789"


@pytest.fixture(scope="module")
def thread() -> Iterator[UpstreamThread]:
    with upstream_in_thread() as thread:
        yield thread


@pytest.fixture(scope="module")
def other(thread: UpstreamThread) -> Iterator[ScriptedUpstream]:
    """A second provider, which must not receive the keys of the first one."""
    upstream = ScriptedUpstream()
    thread.run(upstream.__aenter__())
    upstream.otherwise = openai_responder("Stolen")
    yield upstream
    thread.run(upstream.__aexit__())


@pytest.fixture(scope="module")
def server(thread: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an operator's key, which may be sent to the first provider."""
    thread.upstream.otherwise = openai_responder("Hello")
    folder = tmp_path_factory.mktemp("provider-keys")
    with serving(folder, RATE_LIMIT="off", OPENAI_API_KEY=OPERATORS, PROVIDER_HOSTS=thread.upstream.url) as server:
        yield server


def test_own_key_is_not_sent_after_a_change_of_the_base_url(
    server: Server, thread: UpstreamThread, other: ScriptedUpstream
) -> None:
    _run(server, "instances", "create", "own", "--provider", "openai", "--base-url", thread.upstream.url)
    _run(server, "secrets", "set", "own", "openai_api_key", given=OWN)
    assert _ask(server, "own").status_code == 200
    assert thread.upstream.posts[-1].headers["authorization"] == f"Bearer {OWN}"
    moved = _run(server, "instances", "update", "own", "--base-url", other.url)
    assert "polyant secrets set own openai_api_key" in moved  # reported immediately, not only at the next call
    eventually(lambda: _ask(server, "own").status_code, 503)
    assert _ask(server, "own").json()["message"] == "The API key for the provider openai can't be used"
    hint = f'hint="{moved.removeprefix("polyant: ").strip()}"'
    eventually(lambda: hint in server.stderr.text, expected=True)  # the line is written after the response
    assert other.requests == []
    _run(server, "secrets", "set", "own", "openai_api_key", given="another-key-0123456789")
    eventually(lambda: _ask(server, "own").status_code, 200)
    assert [post.headers["authorization"] for post in other.posts] == ["Bearer another-key-0123456789"]


def test_operators_key_is_sent_only_to_the_listed_hosts(
    server: Server, thread: UpstreamThread, other: ScriptedUpstream
) -> None:
    other.requests.clear()
    _run(server, "instances", "create", "listed", "--provider", "openai", "--base-url", f"{thread.upstream.url}/v1")
    _run(server, "instances", "create", "unlisted", "--provider", "openai", "--base-url", f"{other.url}/v1")
    assert _ask(server, "listed").status_code == 200
    assert thread.upstream.posts[-1].headers["authorization"] == f"Bearer {OPERATORS}"
    assert _ask(server, "unlisted").status_code == 200
    assert ["authorization" in post.headers for post in other.posts] == [False]


def test_keys_are_never_logged(server: Server) -> None:
    assert OWN not in server.stdout.text + server.stderr.text
    assert OPERATORS not in server.stdout.text + server.stderr.text


def _run(server: Server, *arguments: str, given: str | None = None) -> str:
    done = run_polyant(server.folder, *arguments, given=given, OPENAI_API_KEY=OPERATORS)
    assert done.returncode == 0, done.stderr
    return done.stderr


def _ask(server: Server, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}]}
    return httpx.post(f"{server.base_url}/chat/completions", json=body)
