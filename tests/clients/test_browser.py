"""A page in a browser, from another origin."""

from clients.contract import ClientContract, ModelsContract, PersistenceContract, errors_of
from clients.performance import Run


class TestBrowser(ClientContract, ModelsContract, PersistenceContract):
    client = "browser"
    verbs = ("answer", "stream")
    errors = errors_of(status="PageError", stream="PageError")

    def test_page_may_read_the_request_id(self, run: Run) -> None:
        assert run.seen["answer", "answer"].answer["request_id"].startswith("req_")
