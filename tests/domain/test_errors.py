import pytest

from polyant.domain import errors
from polyant.domain.errors import PolyantError, ProviderError, ProviderFailure, RateLimitedError

MESSAGES: list[tuple[PolyantError, str]] = [
    (errors.UnknownModelError(), "Unknown model"),
    (errors.UnknownInstanceError(), "Unknown instance"),
    (errors.InstanceExistsError("demo-bot"), "Instance 'demo-bot' already exists"),
    (
        errors.InstanceChangedError("demo-bot"),
        "Instance 'demo-bot' has changed since it was read: read it again and repeat the change",
    ),
    (RateLimitedError(retry_after=7), "ThrottlerException: Too Many Requests"),
    (errors.StorageUnavailableError(), "The storage is unavailable"),
    (errors.ServerBusyError(), "Server is busy"),
    (errors.ServerShuttingDownError(), "Server is shutting down"),
    (errors.TurnTimeoutError(), "The turn did not finish in time"),
    (ProviderError("openai", ProviderFailure.AUTH), "The model provider failed to answer (openai: auth)"),
    (ProviderError("openai", ProviderFailure.TIMEOUT), "The model provider did not answer in time (openai: timeout)"),
]


@pytest.mark.parametrize(("error", "message"), MESSAGES, ids=[type(error).__name__ for error, _ in MESSAGES])
def test_message_is_shown_to_the_caller(error: PolyantError, message: str) -> None:
    assert error.message == str(error) == message


def test_explanation_is_the_message_followed_by_the_hint() -> None:
    assert errors.UnavailableError("No key", hint="Set it").explanation == "No key. Set it"
    assert errors.UnavailableError("No key").explanation == "No key"
    assert str(errors.UnavailableError("No key", hint="Set it")) == "No key"


@pytest.mark.parametrize("kind", ProviderFailure)
def test_provider_error_names_the_provider_and_the_kind(kind: ProviderFailure) -> None:
    error = ProviderError("anthropic", kind)
    assert (error.provider, error.kind) == ("anthropic", kind)
    assert error.message.endswith(f"(anthropic: {kind.value})")


@pytest.mark.parametrize("kind", ProviderFailure)
def test_provider_error_explains_its_kind_to_operators(kind: ProviderFailure) -> None:
    """The code alone says nothing to a person; the anonymous caller's message has it for programs."""
    error = ProviderError("openai", kind)
    assert error.explanation == f"{error.message}. {kind.hint}"
    assert ProviderError("openai", kind, hint="Disable the tool").explanation == f"{error.message}. Disable the tool"
    assert "provider" in kind.hint
    assert kind.hint not in error.message


def test_temporary_error_has_a_retry_delay() -> None:
    assert RateLimitedError(retry_after=7).retry_after == 7
    assert errors.ServerBusyError().retry_after == 1
    assert errors.TurnTimeoutError().retry_after is None


def test_unknown_model_of_a_chat_is_a_failed_authentication_and_an_unknown_instance_is_not_found() -> None:
    assert isinstance(errors.UnknownModelError(), errors.AuthenticationError)
    assert isinstance(errors.UnknownInstanceError(), errors.NotFoundError)


@pytest.mark.parametrize(
    "unavailable",
    [
        errors.SecretUnreadableError,
        errors.StorageUnavailableError,
        errors.ServerBusyError,
        errors.ServerShuttingDownError,
    ],
)
def test_temporary_or_operator_fixable_error_is_unavailable(unavailable: type[PolyantError]) -> None:
    assert issubclass(unavailable, errors.UnavailableError)
