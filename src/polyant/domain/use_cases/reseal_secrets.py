"""Use case: re-encrypt the stored secrets with the current master key."""

import functools
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import InstanceChangedError, SecretUnreadableError, UnavailableError, UnknownInstanceError
from polyant.domain.instances import Instance, InstanceQuery, Slug
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.key_check import KeyCheck
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SealedSecret, SecretName, SecretText
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.domain.use_cases.rewrap_data_keys import RewrapDataKeys

Progress = Callable[[int, int, int], None]
"""Called with the round, the number of instances processed in it, and the total number of instances."""

_MAX_ROUNDS = 20


class OlderKeyInUseError(UnavailableError):
    """Every round found new secrets that were encrypted with an older key."""

    def __init__(self) -> None:
        super().__init__(
            "Another process encrypts secrets with an older master key, or keeps changing instances",
            hint="Configure the new key on every server, restart the servers, and run this again",
        )


class SecretPlace(msgspec.Struct, frozen=True):
    """The instance and name of a secret."""

    instance: Slug
    name: SecretName


class OlderSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """The stored secrets that weren't encrypted with the current master key."""

    readable: Mapping[Slug, int]
    """The number of secrets that an older key decrypts, by instance; instances without any are omitted."""
    unreadable: tuple[SecretPlace, ...]
    """The secrets that no configured key decrypts."""


class Resealed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The result of re-encryption: the numbers of re-encrypted secrets and changed instances."""

    secrets: int
    instances: int
    unreadable: tuple[SecretPlace, ...]
    """The secrets that remain unchanged because no configured key decrypts them."""
    data_keys: int = 0
    """The number of data keys of conversations that were wrapped again."""
    unreadable_data_keys: int = 0
    """The number of data keys that no configured key unwraps."""


class ResealSecrets:
    """Re-encrypts secrets from older master keys with the current one, and wraps data keys again.

    It is safe to interrupt and repeat at any point. While it runs, starting a server requires the current key and the
    older ones; afterwards, only the current one.
    """

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        cipher: SecretCipher,
        key_check: KeyCheck,
        audit_log: AuditLog,
        clock: Clock,
        rewrap: RewrapDataKeys,
    ) -> None:
        self._repo = repo
        self._cipher = cipher
        self._audit_log = audit_log
        self._clock = clock
        self._rewrap = rewrap
        self._check = CheckMasterKey(cipher=cipher, key_check=key_check)

    async def __call__(self, progress: Progress = lambda *_: None, *, by: Actor) -> Resealed:
        """Returns the result after a round through all instances that found nothing more to re-encrypt.

        The times of secrets and instances don't change; callers' API keys get fingerprints of the current key. The
        audit trail gets an entry for each changed instance, and finally one for the master key.

        Raises:
            OlderKeyInUseError: Other processes keep encrypting with an older key.
            WrongMasterKeyError: The configured keys don't match the stored check value.
            OlderMasterKeyMissingError: An older key that may still be needed isn't configured.
        """
        resealed = Counter[Slug]()

        async def reseal(instance: Instance, secrets: Mapping[SecretName, SecretText]) -> None:
            if await self._save(instance, secrets, by):
                resealed[instance.slug] += len(secrets)

        was_settled = await self._check.is_settled()
        await self._check.begin_change()
        for number in range(1, _MAX_ROUNDS + 1):
            older = await self._scan(reseal, functools.partial(progress, number))
            if not older.readable:
                break
        else:
            raise OlderKeyInUseError
        rewrapped = await self._rewrap()  # before `end_change`: until then, no server starts without the older key
        if not was_settled:  # before `end_change`: an interruption here duplicates the entry rather than losing it
            await self._audit_log.add(Change(by, "master_key.rotate").entry(self._clock.now()))
        await self._check.end_change()
        return Resealed(
            secrets=resealed.total(),
            instances=len(resealed),
            unreadable=older.unreadable,
            data_keys=rewrapped.keys,
            unreadable_data_keys=rewrapped.unreadable,
        )

    async def survey(self) -> OlderSecrets:
        """Returns the secrets that weren't encrypted with the current key; changes nothing."""

        async def ignore(_: Instance, __: Mapping[SecretName, SecretText]) -> None: ...

        return await self._scan(ignore)

    async def _scan(
        self,
        handle: Callable[[Instance, Mapping[SecretName, SecretText]], Awaitable[None]],
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> OlderSecrets:
        """Returns the older secrets of all instances; calls `handle` for each instance with readable ones."""
        readable: dict[Slug, int] = {}
        unreadable: list[SecretPlace] = []
        slugs = [found.slug for found in (await self._repo.list(InstanceQuery())).instances]
        for done, slug in enumerate(slugs):
            progress(done, len(slugs))
            instance = await self._repo.get(slug)
            if instance is None:
                continue
            decrypted, failed = await self._decrypt_older(instance)
            unreadable += (SecretPlace(slug, name) for name in failed)
            if decrypted:
                readable[slug] = len(decrypted)
                await handle(instance, decrypted)
        progress(len(slugs), len(slugs))
        return OlderSecrets(readable=readable, unreadable=tuple(unreadable))

    async def _decrypt_older(self, instance: Instance) -> tuple[dict[SecretName, SecretText], list[SecretName]]:
        """Returns the secrets that an older key encrypted, and the names of the secrets that can't be decrypted."""
        decrypted: dict[SecretName, SecretText] = {}
        failed: list[SecretName] = []
        for stored in instance.secrets.values():
            try:
                if await self._cipher.key_id_of(stored.sealed) != await self._cipher.key_id():
                    decrypted[stored.name] = await self._cipher.open(stored.sealed, instance.address_of(stored))
            except SecretUnreadableError:
                failed.append(stored.name)
        return decrypted, failed

    async def _save(self, instance: Instance, secrets: Mapping[SecretName, SecretText], by: Actor) -> bool:
        """Returns whether the instance was stored with re-encrypted secrets; if not, the next round retries."""
        resealed = {name: await self._resealed(instance, name, secret) for name, secret in secrets.items()}
        changed = msgspec.structs.replace(instance, secrets={**instance.secrets, **resealed})
        audit = Change(by, "secret.reseal", tuple(resealed)).entry(self._clock.now(), instance=instance.slug)
        try:
            await self._repo.save(changed, audit=audit)
        except (InstanceChangedError, UnknownInstanceError):
            return False
        return True

    async def _resealed(self, instance: Instance, name: SecretName, secret: SecretText) -> SealedSecret:
        stored = instance.secrets[name]
        sealed = await self._cipher.seal(secret, instance.address_of(stored))
        fingerprint = (await self._cipher.fingerprints(secret))[0] if stored.fingerprint is not None else None
        return msgspec.structs.replace(stored, sealed=sealed, fingerprint=fingerprint)
