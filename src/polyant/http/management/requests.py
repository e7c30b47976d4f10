"""Strict decoding of request bodies and query parameters of the management API."""

from functools import cache
from typing import Any, cast

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers.base import BaseRouteHandler

from polyant.domain.errors import InvalidInputError
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.users import User
from polyant.http.bodies import decode, received, require_json


class ApiRequest(Request[User, LoggedIn, State]):
    """A request that decodes its body into the type of the handler's `data`.

    Litestar's own decoding converts values ("5" to 5), and its messages are less precise.
    """

    async def body(self) -> bytes:
        """Returns the whole request body.

        Raises:
            CallerGoneError: The client disconnected before it had sent the whole body.
        """
        return await received(super().body())

    async def json(self) -> Any:
        """Returns the body, decoded into the type of the handler's `data`.

        Raises:
            InvalidInputError: The body isn't JSON or violates the schema.
        """
        require_json(self.scope)
        field = self.route_handler.parsed_data_field
        return decode(await self.body(), _decoder_of(field.annotation if field is not None else Any))


async def require_known_parameters(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Returns if the route accepts every query parameter of the request, so that a misspelt one isn't ignored.

    Raises:
        InvalidInputError: A parameter is unknown.
    """
    if not connection.query_params:
        return
    known = _parameters_of(handler, frozenset(connection.path_params))
    unknown = next((name for name in connection.query_params if name not in known), None)
    if unknown is not None:
        raise InvalidInputError(f"Unknown parameter; allowed: {', '.join(sorted(known)) or 'none'} - at `{unknown}`")


@cache
def _parameters_of(handler: BaseRouteHandler, in_path: frozenset[str]) -> frozenset[str]:
    """Returns the names of a handler's query parameters, given the names of its path parameters."""
    model = handler.create_kwargs_model(dict.fromkeys(in_path, cast("Any", None)))
    return frozenset(parameter.field_alias for parameter in model.expected_query_params)


@cache
def _decoder_of(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
