"""The official client for Python."""

from clients.contract import OPENAI_ERRORS, ClientContract, OfficialContract


class TestOpenAIPython(ClientContract, OfficialContract):
    client = "openai-python"
    verbs = ("answer", "answer_async", "answer_raw", "stream", "stream_async", "stream_helper")
    errors = OPENAI_ERRORS
    timeout = "APITimeoutError"
