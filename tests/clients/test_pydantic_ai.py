"""Pydantic AI's Agent."""

from clients.contract import ClientContract, PersistenceContract, errors_of


class TestPydanticAI(ClientContract, PersistenceContract):
    client = "pydantic-ai"
    verbs = ("answer", "answer_sync", "stream")
    errors = errors_of(
        wrong_key="ModelAuthenticationError",
        unknown_model="ModelAuthenticationError",
        bad_body="ModelRequestRejectedError",
        too_many="ModelRateLimitError",
        not_set_up="ModelUnavailableError",
        status="ModelServerError",
        stream="ModelAPIError",
    )
