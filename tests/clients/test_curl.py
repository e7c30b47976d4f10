"""The curl command."""

from clients.contract import ClientContract, ModelsContract, PersistenceContract, errors_of
from clients.runner import Run
from clients.scenarios import HEARTBEATS


class TestCurl(ClientContract, ModelsContract, PersistenceContract):
    client = "curl"
    verbs = ("answer", "stream")
    errors = errors_of(status="CurlError", stream="CurlError")

    def test_heartbeats_are_comments_in_the_stream(self, run: Run) -> None:
        assert run.results["tool", "stream"].answer["pings"] >= HEARTBEATS
