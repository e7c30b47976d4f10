"""The error body that all endpoints share."""

from http import HTTPStatus

import msgspec

from support.asgi import Response


def envelope(status: int, message: str) -> bytes:
    """Returns the documented body of an error: three keys in this order."""
    return msgspec.json.encode({"statusCode": status, "message": message, "error": HTTPStatus(status).phrase})


def assert_refused(response: Response, status: int, message: str) -> None:
    assert (response.status, response.body) == (status, envelope(status, message))
    assert response.header("content-type") == "application/json"
