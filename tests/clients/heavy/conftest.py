"""The servers for the clients that `just clients-heavy` tests."""

from collections.abc import Iterator

import pytest

from clients.harness import ClientHarness, client_harness


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientHarness]:
    """The servers and the provider."""
    with client_harness(tmp_path_factory.mktemp("server")) as harness:
        yield harness
