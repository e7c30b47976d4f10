"""LiteLLM as a library."""

from clients.contract import ClientContract, ModelsContract, PersistenceContract, errors_of


class TestLiteLLM(ClientContract, ModelsContract, PersistenceContract):
    client = "litellm"
    verbs = ("answer", "answer_async", "stream", "stream_async")
    errors = errors_of(
        wrong_key="AuthenticationError",
        unknown_model="AuthenticationError",
        bad_body="BadRequestError",
        too_many="RateLimitError",
        not_set_up="ServiceUnavailableError",
        provider_slow="Timeout",
        status="BadGatewayError",
        stream="MidStreamFallbackError",
    )
