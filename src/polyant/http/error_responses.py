"""The error responses of routes, for the OpenAPI document."""

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from polyant.http.error_bodies import ErrorBody, error_body

_ERRORS = {
    400: ("The request is invalid", "Expected `str`, got `int` - at `$.name`"),
    401: ("The credential is missing, invalid or expired", "Invalid or expired session"),
    403: (
        "The user lacks the permission, or the page that sent the request has another origin",
        "Only a superadmin may manage users",
    ),
    404: ("The resource doesn't exist", "Unknown instance"),
    409: ("The request conflicts with stored data", "Instance 'support-bot' already exists"),
    412: (
        "The resource was changed since its ETag was read",
        "Instance 'support-bot' has changed since it was read: read it again and repeat the change",
    ),
    413: ("The request body exceeds the server's limit", "request entity too large"),
    415: ("The request body has an unknown Content-Encoding", "Unsupported content encoding"),
    429: ("The rate limit is exceeded", "ThrottlerException: Too Many Requests"),
    502: ("The model provider failed", "The model provider failed to answer (openai: overloaded)"),
    503: ("The server is unavailable, busy or shutting down", "The database is unavailable"),
    504: ("The model provider or the turn timed out", "The turn did not finish in time"),
}

_READ = (400, 401, 429, 503)
_WRITE = (*_READ, 403, 413, 415)


def read_errors(*others: int) -> dict[int, ResponseSpec]:
    """Returns the error responses of a read-only route.

    Args:
        *others: Statuses of the route in addition to the common ones.
    """
    return error_responses(*_READ, *others)


def write_errors(*others: int) -> dict[int, ResponseSpec]:
    """Returns the error responses of a route that changes data.

    Args:
        *others: Statuses of the route in addition to the common ones.
    """
    return error_responses(*_WRITE, *others)


def error_responses(*statuses: int) -> dict[int, ResponseSpec]:
    """Returns the error responses with these statuses."""
    return {status: _error_response(status) for status in sorted(statuses)}


def _error_response(status: int) -> ResponseSpec:
    description, message = _ERRORS[status]
    example = Example(value=msgspec.to_builtins(error_body(status, message)))
    return ResponseSpec(ErrorBody, description=description, generate_examples=False, examples=[example])
