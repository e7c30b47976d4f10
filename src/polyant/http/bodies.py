"""Bodies of requests: read, checked to be JSON, and decoded."""

from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException
from litestar.types import Scope

from polyant.domain.errors import InvalidInputError
from polyant.domain.running_turns import CallerGoneError

BodyT = TypeVar("BodyT")


async def read_body(request: Request[Any, Any, Any]) -> bytes:
    """Returns the whole body.

    Raises:
        CallerGoneError: It broke off.
    """
    try:
        return await request.body()
    except InternalServerException:  # what Litestar raises when the body breaks off
        raise CallerGoneError from None


def require_json(scope: Scope) -> None:
    """Returns if the request says that its body is JSON; web pages can't say so without asking first.

    Raises:
        InvalidInputError: It says something else, or nothing.
    """
    content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type != b"application/json" and not (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    ):
        raise InvalidInputError("The body must be JSON: send Content-Type: application/json")


def decode(body: bytes, decoder: msgspec.json.Decoder[BodyT]) -> BodyT:
    """Returns what the body holds.

    Raises:
        InvalidInputError: The body isn't JSON, or breaks the schema; the message says what and where.
    """
    try:
        return decoder.decode(str(body, "utf-8"))  # msgspec itself doesn't look into fields that it skips
    except msgspec.DecodeError as error:
        raise InvalidInputError(str(error) if body else "The body is empty: send a JSON object") from None
    except UnicodeDecodeError:
        raise InvalidInputError("The body is not valid UTF-8") from None
    except RecursionError:
        raise InvalidInputError("The body is nested too deeply") from None
