"""Use case: encrypt a secret for an instance whose store others write, such as a file."""

from collections.abc import Mapping

from polyant.domain.instances import Slug
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SealedSecret
from polyant.domain.use_cases.set_secret import parse_secrets, with_secrets
from polyant.domain.use_cases.show_instance import ShowInstance


class EncryptSecret:
    """Encrypts a value as `SetSecret` does, but stores nothing."""

    def __init__(
        self, *, show: ShowInstance, cipher: SecretCipher, providers: Mapping[str, ProviderInfo], clock: Clock
    ) -> None:
        self._show = show
        self._cipher = cipher
        self._providers = providers
        self._clock = clock

    async def __call__(self, slug: Slug, name: str, value: str) -> SealedSecret:
        """Returns the encrypted secret; a provider key is bound to the provider's current address.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InvalidInputError: The name or the value is invalid.
        """
        secrets = parse_secrets({name: value})
        instance = await self._show(slug)
        now = self._clock.now()
        sealed = await with_secrets(self._cipher, instance, secrets, providers=self._providers, now=now)
        return next(sealed.secrets[known] for known in secrets)
