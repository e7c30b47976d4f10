"""A web page from another origin, in a browser."""

from clients.contract import ClientContract, ModelsContract, PersistenceContract, errors_of
from clients.runner import Run


class TestBrowser(ClientContract, ModelsContract, PersistenceContract):
    client = "browser"
    understands_openais_errors = False
    verbs = ("answer", "stream")
    errors = errors_of(status="PageError", stream="PageError")

    def test_page_can_read_the_request_id(self, run: Run) -> None:
        assert run.results["answer", "answer"].answer["request_id"].startswith("req_")
