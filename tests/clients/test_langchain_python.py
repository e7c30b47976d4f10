"""LangChain's ChatOpenAI for Python."""

from clients.contract import ClientContract, PersistenceContract, errors_of


class TestLangChainPython(ClientContract, PersistenceContract):
    client = "langchain-python"
    verbs = ("answer", "answer_async", "answer_batch", "stream", "stream_async")
    errors = errors_of(
        wrong_key="OpenAIAuthenticationError",
        unknown_model="OpenAIAuthenticationError",
        bad_body="OpenAIInvalidRequestError",
        too_many="OpenAIRateLimitError",
        status="OpenAIAPIError",
        stream="APIError",
    )
