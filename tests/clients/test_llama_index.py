"""LlamaIndex's OpenAILike."""

from clients.contract import OPENAI_ERRORS, ClientContract, PersistenceContract


class TestLlamaIndex(ClientContract, PersistenceContract):
    client = "llama-index"
    verbs = ("answer", "answer_async", "stream", "stream_async")
    errors = OPENAI_ERRORS
    calls = 3
