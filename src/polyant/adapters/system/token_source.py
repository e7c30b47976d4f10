"""TokenSource on the operating system's random number generator."""

import secrets
import string

from polyant.domain.instances import InstanceId
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.secrets import API_KEY_PREFIX, SecretText
from polyant.domain.users import UserId

_LETTERS_AND_DIGITS = string.ascii_letters + string.digits
_PASSWORD_CHARACTERS = 20


class SystemTokenSource(TokenSource):
    """Generates tokens with `secrets`."""

    def instance_id(self) -> InstanceId:
        return InstanceId(secrets.token_hex(16))

    def api_key(self) -> SecretText:
        return SecretText(API_KEY_PREFIX + secrets.token_urlsafe(32))

    def user_id(self) -> UserId:
        return UserId(secrets.token_hex(16))

    def session_id(self) -> str:
        return secrets.token_hex(16)

    def turn_id(self) -> str:
        return secrets.token_hex(16)

    def password(self) -> SecretText:
        return SecretText("".join(secrets.choice(_LETTERS_AND_DIGITS) for _ in range(_PASSWORD_CHARACTERS)))
