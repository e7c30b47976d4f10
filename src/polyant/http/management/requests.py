"""Bodies of the management API: decoded strictly, and refused with what is wrong and where."""

from functools import cache
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import InternalServerException

from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.users import User
from polyant.http.bodies import decode, require_json
from polyant.http.errors import ClientGoneError


class ApiRequest(Request[User, LoggedIn, State]):
    """Decodes its body itself into the type that the handler's `data` has.

    Litestar would convert more generously ("5" to 5) and say less of what is wrong.
    """

    async def body(self) -> bytes:
        """Returns the whole body.

        Raises:
            ClientGoneError: It broke off.
        """
        try:
            return await super().body()
        except InternalServerException:
            raise ClientGoneError from None

    async def json(self) -> Any:
        """Returns the body as the handler wants it.

        Raises:
            InvalidInputError: It isn't JSON, or breaks the schema.
        """
        require_json(self.scope)
        field = self.route_handler.parsed_data_field
        return decode(await self.body(), _decoder_of(field.annotation if field is not None else Any))


@cache
def _decoder_of(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
