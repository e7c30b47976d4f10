"""Decrypts the credentials of channel connections."""

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
        return await account_of(connection, instance, self._cipher)


async def account_of(connection: ChannelConnection, instance: Instance | None, cipher: SecretCipher) -> ChannelAccount:
    """Returns the account of a connection with its decrypted credentials.

    Args:
        connection: The connection.
        instance: Its instance; None if it was deleted.
        cipher: Decrypts.

    Raises:
        CredentialMissingError: A secret is missing.
        SecretUnreadableError: A secret can't be decrypted.
    """
    credentials: dict[str, SecretText] = {}
    for name, secret in connection.credentials.items():
        sealed = None if instance is None else instance.secrets.get(secret)
        if instance is None or sealed is None:
            raise CredentialMissingError(connection, secret)
        credentials[name] = await cipher.open(sealed.sealed, instance.address_of(sealed))
    return ChannelAccount(connection=connection, credentials=credentials)
