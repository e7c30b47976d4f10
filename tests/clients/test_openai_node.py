"""The official client for Node."""

from clients.contract import OPENAI_ERRORS, ClientContract, ExplainedContract, OfficialContract


class TestOpenAINode(ClientContract, OfficialContract, ExplainedContract):
    client = "openai-node"
    verbs = ("answer", "answer_raw", "stream", "stream_aborted", "stream_helper")
    errors = OPENAI_ERRORS
    shows_reason_only = True
    timeout = "APIConnectionTimeoutError"
