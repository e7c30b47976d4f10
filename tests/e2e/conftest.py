"""One engine and one provider for all tests that don't interfere with each other."""

from collections.abc import Iterator

import pytest

from support.patience import seconds
from support.process import Server, run_polyant, serving
from support.upstream import UpstreamThread, upstream_in_thread

UPSTREAM_KEY = "upstream-key-0123456789"


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[UpstreamThread]:
    with upstream_in_thread() as thread:
        yield thread


@pytest.fixture
def upstream(shared_upstream: UpstreamThread) -> UpstreamThread:
    """A provider without any requests so far."""
    shared_upstream.upstream.replies.clear()
    shared_upstream.upstream.requests.clear()
    return shared_upstream


@pytest.fixture(scope="session")
def engine(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short timeouts, whose instance `relay` uses the provider."""
    folder = tmp_path_factory.mktemp("engine")
    one, two = str(seconds(1)), str(seconds(2))
    short_timeouts = {"CONNECT_SECONDS": one, "FIRST_TOKEN_SECONDS": one, "IDLE_SECONDS": one, "TURN_SECONDS": two}
    short_timeouts["STREAM_HEAD_SECONDS"] = str(seconds(10))  # later than any failure before the head
    with serving(folder, RATE_LIMIT="off", REPORT_USAGE="true", **short_timeouts) as server:
        base_url = f"{shared_upstream.upstream.url}/v1"
        _succeed(
            server, "instances", "create", "relay", "--provider", "openai", "--model", "tiny", "--base-url", base_url
        )
        _succeed(server, "secrets", "set", "relay", "openai_api_key", given=UPSTREAM_KEY)
        yield server


def _succeed(server: Server, *arguments: str, given: str | None = None) -> None:
    done = run_polyant(server.folder, *arguments, given=given)
    assert done.returncode == 0, done.stderr
