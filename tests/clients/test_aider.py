"""aider's coder."""

from clients.contract import ClientContract, errors_of


class TestAider(ClientContract):
    client = "aider"
    verbs = ("answer", "stream")
    sends_parts = False
    adds_messages = True
    has_usage = False
    streams_usage = False
    errors = errors_of(status="AiderError", stream="AiderError")
