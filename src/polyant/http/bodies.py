"""Reads and decodes JSON request bodies."""

import codecs
import math
from collections.abc import Awaitable
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.types import Receive, Scope

from polyant.domain.errors import InvalidInputError
from polyant.domain.running_turns import CallerGoneError
from polyant.http.surrogates import lone_surrogate_fault

BodyT = TypeVar("BodyT")


async def read_body(request: Request[Any, Any, Any]) -> bytes:
    """Returns the whole request body, which can be read only once.

    It reads the ASGI messages itself: `Request.body` makes about fifty calls of Python code more per request.

    Raises:
        RequestEntityTooLarge: The body is longer than the route allows.
        CallerGoneError: The client disconnected before it had sent the whole body.
    """
    limit = request.route_handler.resolve_request_max_body_size() or math.inf
    return await read_body_of(request.scope, request.receive, limit=limit)


async def read_body_of(scope: Scope, receive: Receive, *, limit: float) -> bytes:
    """Returns the whole request body, which has at most `limit` bytes; raises as `read_body`."""
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if announced.isdigit() and int(announced) > limit:
        raise RequestEntityTooLarge
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise CallerGoneError
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise RequestEntityTooLarge
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def received(body: Awaitable[bytes]) -> bytes:
    """Returns the result of `Request.body`.

    Raises:
        CallerGoneError: The client disconnected before it had sent the whole body.
    """
    try:
        return await body
    except InternalServerException:  # Litestar raises this when the client disconnects while sending the body
        raise CallerGoneError from None


def require_json(scope: Scope) -> None:
    """Returns if the Content-Type is JSON; a web page can't send that type to another origin without a preflight.

    Raises:
        InvalidInputError: The Content-Type is missing or isn't JSON.
    """
    content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type != b"application/json" and not (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    ):
        raise InvalidInputError("The body must be JSON: send Content-Type: application/json")


def decode(body: bytes, decoder: msgspec.json.Decoder[BodyT]) -> BodyT:
    """Returns the decoded body.

    Raises:
        InvalidInputError: The body isn't JSON or violates the schema; the message names the fault and its location.
    """
    try:
        text = str(body.removeprefix(codecs.BOM_UTF8), "utf-8")
        return decoder.decode(text)  # msgspec doesn't validate UTF-8 of bytes in fields that it skips
    except msgspec.DecodeError as error:
        raise InvalidInputError(_fault_of(body, error)) from None
    except UnicodeDecodeError:
        raise InvalidInputError("The body is not valid UTF-8") from None
    except RecursionError:
        raise InvalidInputError("The body is nested too deeply") from None


def _fault_of(body: bytes, error: msgspec.DecodeError) -> str:
    if not body.removeprefix(codecs.BOM_UTF8):
        return "The body is empty: send a JSON object"
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    return lone_surrogate_fault(body) or str(error)
