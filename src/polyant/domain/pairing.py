"""Pairing codes: a bot gives one to a stranger, and an administrator approves it."""

import base64
import hmac
from hashlib import sha256

from polyant.domain.channels import ConnectionId
from polyant.domain.errors import InvalidInputError
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretText

_CHECK_CHARACTERS = 8
_PURPOSE = "channel pairing"


class PairingCodes:
    """Makes and reads codes that contain the user's id and a keyed hash of it, so that none has to be stored.

    A code is valid for one connection only. Nobody can make one without the master key, so an administrator approves
    only users who wrote to the account.
    """

    def __init__(self, *, cipher: SecretCipher) -> None:
        self._cipher = cipher

    async def code_of(self, connection: ConnectionId, user: str) -> str:
        """Returns the code for a user, such as `4711-K7Q2MBXA`; it stays the same until the master key changes."""
        return f"{user}-{(await self._checks(connection, user))[0]}"

    async def user_of(self, connection: ConnectionId, code: str) -> str:
        """Returns the id of the user whose code it is.

        Raises:
            InvalidInputError: It isn't a code of this connection.
        """
        user, _, given = code.strip().rpartition("-")
        expected = await self._checks(connection, user)
        if not user or not any(hmac.compare_digest(given.upper().encode(), check.encode()) for check in expected):
            raise InvalidInputError("The pairing code is wrong: enter it as the account showed it to the user")
        return user

    async def _checks(self, connection: ConnectionId, user: str) -> list[str]:
        prints = await self._cipher.fingerprints(SecretText(f"{_PURPOSE}\0{connection}\0{user}"))
        return [base64.b32encode(sha256(each.encode()).digest()).decode()[:_CHECK_CHARACTERS] for each in prints]
