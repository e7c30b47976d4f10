"""The errors that Polyant reports: each has a message that any caller may read, and a hint for operators."""

import enum


class PolyantError(Exception):
    """A failure with a message for the caller and, where an operator can fix it, a hint for the operator.

    Args:
        message: The problem. Anonymous callers read it, so it contains no secret, stack trace or upstream text, and no
            name of an environment variable, command, file or host.
        hint: The fix for the operator, as a separate sentence. It appears in the log, on the command line and in the
            management API.
        retry_after: The whole seconds after which a retry may succeed; None if waiting doesn't help.
    """

    def __init__(self, message: str, *, hint: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after = retry_after

    @property
    def explanation(self) -> str:
        """The message and the hint, for operators."""
        return self.message if self.hint is None else f"{self.message}. {self.hint}"


class InvalidInputError(PolyantError):
    """The input is invalid; the message names the rule and the field."""


class AuthenticationError(PolyantError):
    """The caller isn't authenticated."""


class UnknownModelError(AuthenticationError):
    """No active instance has the slug in the chat request."""

    def __init__(self) -> None:
        super().__init__("Unknown model")


class PermissionDeniedError(PolyantError):
    """The caller is authenticated but not allowed to do this."""


class ReadOnlyError(PermissionDeniedError):
    """The store of the instances accepts no changes."""

    def __init__(self, *, hint: str = "Change the instance where the adapter INSTANCE_REPO reads it") -> None:
        super().__init__("The instances of this server are read-only", hint=hint)


class NotFoundError(PolyantError):
    """The requested resource doesn't exist."""


class UnknownInstanceError(NotFoundError):
    """No instance has that slug.

    Args:
        slug: The slug, for the command line; responses don't repeat it.
    """

    def __init__(self, slug: str | None = None) -> None:
        super().__init__("Unknown instance")
        self.slug = slug


class UnknownUserError(NotFoundError):
    """No user has that id or email address.

    Args:
        user: The email address or id, for the command line; responses don't repeat it.
    """

    def __init__(self, user: str | None = None) -> None:
        super().__init__("Unknown user")
        self.user = user


class UnknownConversationError(NotFoundError):
    """No conversation has that id, or it was deleted."""

    def __init__(self) -> None:
        super().__init__("Unknown conversation")


class UnknownEventError(NotFoundError):
    """No event has that number, or it isn't in the expected state."""

    def __init__(self, event: int | None = None) -> None:
        super().__init__("Unknown event")
        self.event = event


class ConflictError(PolyantError):
    """The change conflicts with the stored data."""


class InstanceExistsError(ConflictError):
    """The slug is taken."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"Instance '{slug}' already exists")


class UserExistsError(ConflictError):
    """The email address is taken."""

    def __init__(self, email: str) -> None:
        super().__init__(f"User '{email}' already exists")


class LastSuperadminError(ConflictError):
    """The change would leave no active superadmin to manage users."""

    def __init__(self, email: str) -> None:
        super().__init__(f"User '{email}' is the last active superadmin")


class PreconditionFailedError(PolyantError):
    """Another writer changed the resource since it was read."""


class InstanceChangedError(PreconditionFailedError):
    """Another writer changed the instance since it was read."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"Instance '{slug}' has changed since it was read: read it again and repeat the change")


class UserChangedError(PreconditionFailedError):
    """Another writer changed the user since it was read."""

    def __init__(self, email: str) -> None:
        super().__init__(f"User '{email}' has changed since it was read: read it again and repeat the change")


class RateLimitedError(PolyantError):
    """The caller is over its rate limit; the next call passes after `retry_after` seconds."""

    def __init__(self, *, retry_after: int) -> None:
        super().__init__("ThrottlerException: Too Many Requests", retry_after=retry_after)


class UnavailableError(PolyantError):
    """The instance or the server can't do this now; the message names what is missing."""


class SecretUnreadableError(UnavailableError):
    """A stored secret can't be decrypted: it was encrypted with another key, or it was changed or moved."""

    def __init__(
        self,
        *,
        hint: str = (
            "It was encrypted with another master key, or it was changed or moved: "
            "set it again, or provide the key that encrypted it"
        ),
    ) -> None:
        super().__init__("A stored secret can't be decrypted", hint=hint)


class StorageUnavailableError(UnavailableError):
    """A store is unavailable.

    Args:
        store: The kind of the store in words that any caller may read, such as `database`.
        hint: The fix for the operator.
    """

    def __init__(self, *, store: str = "storage", hint: str | None = None) -> None:
        super().__init__(f"The {store} is unavailable", hint=hint, retry_after=1)


class AdapterUnavailableError(UnavailableError):
    """An adapter without which no turn can run doesn't work.

    Args:
        port: The adapter's port in words, such as `rate limiter`.
        hint: The explanation of the adapter, for the operator.
    """

    def __init__(self, port: str, *, hint: str | None = None) -> None:
        super().__init__(f"The {port} is unavailable", hint=hint, retry_after=1)


class LeaseLostError(UnavailableError):
    """The lease on a conversation's lane expired, and another process may work on it."""

    def __init__(self) -> None:
        super().__init__("Another process has taken over the conversation", retry_after=1)


class ConversationBusyError(UnavailableError):
    """Too many requests of this worker wait for the same conversation."""

    def __init__(self) -> None:
        super().__init__("Too many requests wait for this conversation", retry_after=1)


class ServerBusyError(UnavailableError):
    """This worker is running its maximum number of concurrent turns, or too many passwords wait to be hashed."""

    def __init__(self) -> None:
        super().__init__("Server is busy", retry_after=1)


class ServerShuttingDownError(UnavailableError):
    """The server is shutting down and accepts no new turns."""

    def __init__(self) -> None:
        super().__init__("Server is shutting down", retry_after=1)


class ProviderFailure(enum.StrEnum):
    """The kind of a model provider's failure."""

    AUTH = "auth"
    RATE_LIMIT = "rate_limit"
    BAD_REQUEST = "bad_request"
    OVERLOADED = "overloaded"
    UNREACHABLE = "unreachable"
    BAD_RESPONSE = "bad_response"
    TIMEOUT = "timeout"

    @property
    def hint(self) -> str:
        """The usual cause and the fix, for operators."""
        return _HINTS[self]


_HINTS = {
    ProviderFailure.AUTH: (
        "The provider rejected the API key, or the account lacks a permission or credit: check both with the provider"
    ),
    ProviderFailure.RATE_LIMIT: (
        "The rate limit or the quota of the provider's account is used up: wait, or have the provider raise it"
    ),
    ProviderFailure.BAD_REQUEST: (
        "The provider rejected the request: check the model's name, the instance's options and the length of the "
        "conversation"
    ),
    ProviderFailure.OVERLOADED: "The provider is overloaded or not available at the moment: try again later",
    ProviderFailure.UNREACHABLE: (
        "There is no connection to the provider: check the base URL, the network and the outbound proxy"
    ),
    ProviderFailure.BAD_RESPONSE: (
        "The provider's response was an error, was incomplete or had an unknown format: check that the base URL is the "
        "one of the provider's API, or try again later"
    ),
    ProviderFailure.TIMEOUT: (
        "The provider took too long: try again later, or raise FIRST_TOKEN_SECONDS, IDLE_SECONDS or TURN_SECONDS"
    ),
}


class ProviderError(PolyantError):
    """The model provider failed; the message has its name and the kind of failure, never its own text.

    Args:
        provider: The provider's name.
        kind: The kind of failure.
        hint: The fix for the operator; without it, the usual fix of this kind.
    """

    def __init__(self, provider: str, kind: ProviderFailure, *, hint: str | None = None) -> None:
        problem = "did not answer in time" if kind is ProviderFailure.TIMEOUT else "failed to answer"
        super().__init__(f"The model provider {problem} ({provider}: {kind})", hint=hint or kind.hint)
        self.provider = provider
        self.kind = kind


class TurnTimeoutError(PolyantError):
    """The turn exceeded its deadline."""

    def __init__(self) -> None:
        super().__init__("The turn did not finish in time")
