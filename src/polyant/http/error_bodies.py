"""The bodies of error responses, in Polyant's own format and in OpenAI's."""

import enum
import http

import msgspec

_OPENAI_PREFIX = "v1"


class ErrorFormat(enum.StrEnum):
    """Format of the errors under /v1."""

    NESTJS = "nestjs"
    OPENAI = "openai"

    def at(self, path: str) -> "ErrorFormat":
        """Returns the format for a path: errors outside /v1 always have Polyant's own."""
        return self if path.lstrip("/").partition("/")[0] == _OPENAI_PREFIX else ErrorFormat.NESTJS


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every error response."""

    statusCode: int  # noqa: N815 - the wire's name
    message: str
    error: str


class OpenAIError(msgspec.Struct, frozen=True):
    """An error in the form that OpenAI's clients expect."""

    message: str
    type: str
    param: None
    code: str | None


class OpenAIErrorBody(msgspec.Struct, frozen=True):
    """The body of an error response in OpenAI's format."""

    error: OpenAIError


def error_body(status: int, message: str) -> ErrorBody:
    """Returns the error body for a status."""
    return ErrorBody(status, message, http.HTTPStatus(status).phrase)


def in_format(body: ErrorBody, chosen: ErrorFormat, *, is_unknown_model: bool = False) -> ErrorBody | OpenAIErrorBody:
    """Returns the error in the format.

    Args:
        body: The error in Polyant's own format.
        chosen: The format.
        is_unknown_model: Whether the error reports that no instance has the requested slug.
    """
    if chosen is ErrorFormat.NESTJS:
        return body
    kind, code = _kind_and_code(body.statusCode, is_unknown_model=is_unknown_model)
    return OpenAIErrorBody(OpenAIError(body.message, kind, None, code))


def event_error(body: ErrorBody, chosen: ErrorFormat) -> ErrorBody | OpenAIError:
    """Returns the value of `error` in the event for an error in mid-stream."""
    formatted = in_format(body, chosen)
    return formatted.error if isinstance(formatted, OpenAIErrorBody) else formatted


def _kind_and_code(status: int, *, is_unknown_model: bool) -> tuple[str, str | None]:
    if status == http.HTTPStatus.TOO_MANY_REQUESTS:
        return "requests", "rate_limit_exceeded"
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return "server_error", None
    if status == http.HTTPStatus.UNAUTHORIZED:
        return "invalid_request_error", "model_not_found" if is_unknown_model else "invalid_api_key"
    return "invalid_request_error", None
