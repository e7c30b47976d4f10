"""TokenSource on the operating system's random numbers."""

import secrets

from polyant.domain.instances import InstanceId
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.secrets import API_KEY_PREFIX, SecretText


class SystemTokenSource(TokenSource):
    """Draws from `secrets`."""

    def instance_id(self) -> InstanceId:
        return InstanceId(secrets.token_hex(16))

    def api_key(self) -> SecretText:
        return SecretText(API_KEY_PREFIX + secrets.token_urlsafe(32))
