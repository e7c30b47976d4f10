"""Decrypts the credentials of channel connections."""

from collections.abc import Mapping

from polyant.domain.channels import ChannelAccount, ChannelConnection
from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretName, SecretText


class CredentialMissingError(UnavailableError):
    """A secret that contains a credential was deleted."""

    def __init__(self, connection: ChannelConnection, secret: SecretName) -> None:
        super().__init__(
            f"The {connection.channel} connection lacks a credential",
            hint=f"The secret {secret} of {connection.slug} is missing: connect the channel again",
        )


class ChannelAccounts:
    """Opens the accounts of connections."""

    def __init__(self, *, repo: InstanceRepo, cipher: SecretCipher) -> None:
        self._repo = repo
        self._cipher = cipher

    async def open(self, connection: ChannelConnection) -> ChannelAccount:
        """Returns the account with its credentials.

        Raises:
            CredentialMissingError: A secret is missing, or the instance was deleted.
            SecretUnreadableError: A secret can't be decrypted.
            StorageUnavailableError: The database is unavailable.
        """
        instance = await self._repo.get(connection.slug)
        credentials = {
            name: await self._decrypted(connection, instance, secret) for name, secret in connection.credentials.items()
        }
        return ChannelAccount(connection=connection, credentials=credentials)

    async def _decrypted(
        self, connection: ChannelConnection, instance: Instance | None, secret: SecretName
    ) -> SecretText:
        stored: Mapping[SecretName, object] = {} if instance is None else instance.secrets
        if instance is None or secret not in stored:
            raise CredentialMissingError(connection, secret)
        sealed = instance.secrets[secret]
        return await self._cipher.open(sealed.sealed, instance.address_of(sealed))
