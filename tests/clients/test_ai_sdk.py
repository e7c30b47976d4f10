"""The Vercel AI SDK."""

from clients.contract import ClientContract, ExplainedContract, PersistenceContract, errors_of


class TestAISDK(ClientContract, ExplainedContract, PersistenceContract):
    client = "ai-sdk"
    verbs = ("answer", "stream")
    errors = errors_of(status="APICallError", stream="StreamProviderError")
    calls = 3
