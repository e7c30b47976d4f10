"""DSPy's language model client."""

from clients.contract import AnswerContract, PersistenceContract, errors_of


class TestDSPy(AnswerContract, PersistenceContract):
    client = "dspy"
    verbs = ("answer", "answer_async")
    shows_reason_only = True
    errors = errors_of(
        wrong_key="LMAuthError",
        unknown_model="LMAuthError",
        bad_body="LMInvalidRequestError",
        too_many="LMRateLimitError",
        provider_slow="LMTimeoutError",
        status="LMServerError",
        stream="",
    )
    calls = 4
