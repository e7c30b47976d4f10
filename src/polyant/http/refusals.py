"""How routes refuse, for the OpenAPI document."""

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from polyant.http.errors import ErrorBody, error_body

_REFUSALS = {
    400: ("A value breaks its rule", "Expected `str`, got `int` - at `$.name`"),
    401: ("There is no session, or it is over", "Invalid or expired session"),
    403: ("The user may not do this, or another site's page tried to", "Only a superadmin may manage users"),
    404: ("There is no such thing", "Unknown instance"),
    409: ("It contradicts what is stored", "Instance 'support-bot' exists already"),
    412: (
        "Somebody else changed it since it was read",
        "Instance 'support-bot' was changed meanwhile: read it again and repeat the change",
    ),
    413: ("The body is larger than MAX_BODY_BYTES", "request entity too large"),
    429: ("There were too many attempts from this address", "ThrottlerException: Too Many Requests"),
    502: ("The model provider failed", "The model provider failed to answer (openai: overloaded)"),
    503: ("The server can't do this now", "The database is unavailable"),
    504: ("The model provider didn't answer in time", "The turn did not finish in time"),
}

_READ = (400, 401, 429, 503)
_WRITE = (*_READ, 403, 413)


def read_refusals(*others: int) -> dict[int, ResponseSpec]:
    """Returns how a route that changes nothing refuses, for the OpenAPI document."""
    return refusals(*_READ, *others)


def write_refusals(*others: int) -> dict[int, ResponseSpec]:
    """Returns how a route that changes something refuses, for the OpenAPI document."""
    return refusals(*_WRITE, *others)


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """Returns what the OpenAPI document says of these errors."""
    return {status: _refusal(status) for status in sorted(statuses)}


def _refusal(status: int) -> ResponseSpec:
    description, message = _REFUSALS[status]
    example = Example(value=msgspec.to_builtins(error_body(status, message)))
    return ResponseSpec(ErrorBody, description=description, generate_examples=False, examples=[example])
