"""LiteLLM's proxy in front of the server."""

from clients.contract import OPENAI_ERRORS, ClientContract, PersistenceContract


class TestLiteLLMProxy(ClientContract, PersistenceContract):
    client = "litellm-proxy"
    verbs = ("answer", "stream")
    errors = OPENAI_ERRORS
    calls = 3
