"""A custom program that uses httpx."""

from clients.contract import ClientContract, ModelsContract, PersistenceContract, errors_of
from clients.runner import Run
from clients.scenarios import HEARTBEATS


class TestHttpx(ClientContract, ModelsContract, PersistenceContract):
    client = "httpx"
    understands_openais_errors = False
    verbs = ("answer", "stream")
    errors = errors_of(status="HTTPStatusError", stream="StreamBrokenError")

    def test_heartbeats_are_comments_in_the_stream(self, run: Run) -> None:
        assert run.results["tool", "stream"].answer["pings"] >= HEARTBEATS
