"""Simon Willison's llm."""

from clients.contract import OPENAI_ERRORS, ClientContract, PersistenceContract


class TestLLM(ClientContract, PersistenceContract):
    client = "llm"
    verbs = ("answer", "stream")
    errors = OPENAI_ERRORS
