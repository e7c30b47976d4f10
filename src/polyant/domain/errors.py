"""Every failure that Polyant reports on purpose: a message that any caller may read, and a hint for operators."""

import enum


class PolyantError(Exception):
    """A failure with a message for the caller and, where an operator can help, a hint for the operator.

    Args:
        message: What is wrong. Anonymous callers read it: it has no secret, no stack trace, no upstream text, and no
            name of an environment variable, a command, a file or a host.
        hint: A sentence on the action that the operator can take. It goes to the log, the command line and the
            management API.
        retry_after: The whole seconds to wait, where waiting helps.
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
    """The input breaks a rule; the message says which and where."""


class AuthenticationError(PolyantError):
    """The caller didn't prove who it is."""


class UnknownModelError(AuthenticationError):
    """No active instance has the slug that a chat request names."""

    def __init__(self) -> None:
        super().__init__("Unknown model")


class PermissionDeniedError(PolyantError):
    """The caller is known and still may not do this."""


class NotFoundError(PolyantError):
    """The thing that was asked for isn't there."""


class UnknownInstanceError(NotFoundError):
    """No instance has that slug."""

    def __init__(self) -> None:
        super().__init__("Unknown instance")


class UnknownUserError(NotFoundError):
    """No user has that id."""

    def __init__(self) -> None:
        super().__init__("Unknown user")


class ConflictError(PolyantError):
    """The change contradicts what is stored."""


class InstanceExistsError(ConflictError):
    """The slug is taken."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"Instance '{slug}' exists already")


class UserExistsError(ConflictError):
    """The email address is taken."""

    def __init__(self, email: str) -> None:
        super().__init__(f"User '{email}' exists already")


class LastSuperadminError(ConflictError):
    """Nobody would be left who can manage users."""

    def __init__(self, email: str) -> None:
        super().__init__(f"User '{email}' is the last active superadmin")


class PreconditionFailedError(PolyantError):
    """Somebody else changed the thing since it was read."""


class InstanceChangedError(PreconditionFailedError):
    """Somebody else changed the instance since it was read."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"Instance '{slug}' was changed meanwhile: read it again and repeat the change")


class UserChangedError(PreconditionFailedError):
    """Somebody else changed the user since it was read."""

    def __init__(self, email: str) -> None:
        super().__init__(f"User '{email}' was changed meanwhile: read it again and repeat the change")


class RateLimitedError(PolyantError):
    """The caller is over its limit; `retry_after` says when the next call would pass."""

    def __init__(self, *, retry_after: int) -> None:
        super().__init__("ThrottlerException: Too Many Requests", retry_after=retry_after)


class UnavailableError(PolyantError):
    """The instance or the server cannot do this now; the message says what is missing."""


class SecretUnreadableError(UnavailableError):
    """A sealed value doesn't open: another key sealed it, or it was changed or moved."""

    def __init__(
        self,
        *,
        hint: str = "Another key encrypted it, or it was changed or moved: set it again, or give that key",
    ) -> None:
        super().__init__("A stored secret can't be opened", hint=hint)


class StorageUnavailableError(UnavailableError):
    """The database doesn't answer."""

    def __init__(self, *, hint: str | None = None) -> None:
        super().__init__("The database is unavailable", hint=hint, retry_after=1)


class ServerBusyError(UnavailableError):
    """As many turns run as this worker may run at once."""

    def __init__(self) -> None:
        super().__init__("Server is busy", retry_after=1)


class ServerShuttingDownError(UnavailableError):
    """The server is about to stop and starts no more turns."""

    def __init__(self) -> None:
        super().__init__("Server is shutting down", retry_after=1)


class ProviderFailure(enum.StrEnum):
    """Why a model provider gave no answer."""

    AUTH = "auth"
    RATE_LIMIT = "rate_limit"
    BAD_REQUEST = "bad_request"
    OVERLOADED = "overloaded"
    UNREACHABLE = "unreachable"
    BAD_RESPONSE = "bad_response"
    TIMEOUT = "timeout"


class ProviderError(PolyantError):
    """The model provider failed; names the provider and the kind of failure, never the provider's own text."""

    def __init__(self, provider: str, kind: ProviderFailure) -> None:
        what = "did not answer in time" if kind is ProviderFailure.TIMEOUT else "failed to answer"
        super().__init__(f"The model provider {what} ({provider}: {kind})")
        self.provider = provider
        self.kind = kind


class TurnTimeoutError(PolyantError):
    """The turn as a whole took longer than it may."""

    def __init__(self) -> None:
        super().__init__("The turn did not finish in time")
