"""Use case: have the current master key alone seal what is stored."""

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

Progress = Callable[[int, int, int], None]
"""Is told which round it is, how many instances have been looked at in it, and of how many."""

_MAX_ROUNDS = 20


class OlderKeyInUseError(UnavailableError):
    """Round after round there was something new that an older key had sealed."""

    def __init__(self) -> None:
        super().__init__(
            "Another process seals secrets with an older master key, or changes instances all the time",
            hint="Give every server the new key, restart it, and run this again",
        )


class SecretPlace(msgspec.Struct, frozen=True):
    """Whose secret it is, and what it is called."""

    instance: Slug
    name: SecretName


class OlderSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """The stored secrets that the current master key didn't seal."""

    readable: Mapping[Slug, int]
    """How many an older key opens, by instance; none without any."""
    unreadable: tuple[SecretPlace, ...]
    """Those that no key given opens."""


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """What was sealed anew."""

    secrets: int
    instances: int
    unreadable: tuple[SecretPlace, ...]
    """What stays as it is, since no key given opens it."""


class ResealSecrets:
    """Seals with the current master key what an older one sealed; may be interrupted and repeated at any point.

    From its beginning until its end, a start needs the current key and the older ones; after that, the current one.
    """

    def __init__(
        self, *, repo: InstanceRepo, cipher: SecretCipher, key_check: KeyCheck, audit_log: AuditLog, clock: Clock
    ) -> None:
        self._repo = repo
        self._cipher = cipher
        self._audit_log = audit_log
        self._clock = clock
        self._check = CheckMasterKey(cipher=cipher, key_check=key_check)

    async def __call__(self, progress: Progress = lambda *_: None, *, by: Actor) -> Resealed:
        """Returns what was sealed anew, after a round through all instances that found nothing more to do.

        Secrets keep their time and instances theirs; the API keys of callers get the current key's fingerprints. The
        audit trail tells of each instance that was changed, and at the end of the key.

        Raises:
            OlderKeyInUseError: Others seal with an older key all the time.
            WrongMasterKeyError: The keys given don't fit what is stored.
            OlderMasterKeyMissingError: An older key that may still be needed isn't given.
        """
        resealed = Counter[Slug]()

        async def reseal(instance: Instance, secrets: Mapping[SecretName, SecretText]) -> None:
            if await self._save(instance, secrets, by):
                resealed[instance.slug] += len(secrets)

        was_settled = await self._check.is_settled()
        await self._check.begin_change()
        for number in range(1, _MAX_ROUNDS + 1):
            left = await self._look(reseal, functools.partial(progress, number))
            if not left.readable:
                break
        else:
            raise OlderKeyInUseError
        if not was_settled:  # first, so that an interruption here has it told twice rather than never
            await self._audit_log.add(Change(by, "master_key.rotate").entry(self._clock.now()))
        await self._check.end_change()
        return Resealed(secrets=resealed.total(), instances=len(resealed), unreadable=left.unreadable)

    async def survey(self) -> OlderSecrets:
        """Returns which secrets the current key didn't seal; changes nothing."""

        async def leave(_: Instance, __: Mapping[SecretName, SecretText]) -> None: ...

        return await self._look(leave)

    async def _look(
        self,
        handle: Callable[[Instance, Mapping[SecretName, SecretText]], Awaitable[None]],
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> OlderSecrets:
        """Goes through all instances, has those handled that an older key opens, and returns what it met."""
        readable: dict[Slug, int] = {}
        unreadable: list[SecretPlace] = []
        slugs = [found.slug for found in (await self._repo.list(InstanceQuery())).instances]
        for done, slug in enumerate(slugs):
            progress(done, len(slugs))
            instance = await self._repo.get(slug)
            if instance is None:
                continue
            opened, closed = await self._open_older(instance)
            unreadable += (SecretPlace(slug, name) for name in closed)
            if opened:
                readable[slug] = len(opened)
                await handle(instance, opened)
        progress(len(slugs), len(slugs))
        return OlderSecrets(readable=readable, unreadable=tuple(unreadable))

    async def _open_older(self, instance: Instance) -> tuple[dict[SecretName, SecretText], list[SecretName]]:
        """Returns the secrets that another than the current key sealed, and the names of those that don't open."""
        opened: dict[SecretName, SecretText] = {}
        closed: list[SecretName] = []
        for stored in instance.secrets.values():
            try:
                if await self._cipher.key_id_of(stored.sealed) != await self._cipher.key_id():
                    opened[stored.name] = await self._cipher.open(stored.sealed, instance.address_of(stored))
            except SecretUnreadableError:
                closed.append(stored.name)
        return opened, closed

    async def _save(self, instance: Instance, secrets: Mapping[SecretName, SecretText], by: Actor) -> bool:
        """Returns whether the instance is stored with its secrets sealed anew; if not, the next round looks again."""
        resealed = {name: await self._sealed_anew(instance, name, secret) for name, secret in secrets.items()}
        changed = msgspec.structs.replace(instance, secrets={**instance.secrets, **resealed})
        audit = Change(by, "secret.reseal", tuple(resealed)).entry(self._clock.now(), instance=instance.slug)
        try:
            await self._repo.save(changed, audit=audit)
        except (InstanceChangedError, UnknownInstanceError):
            return False
        return True

    async def _sealed_anew(self, instance: Instance, name: SecretName, secret: SecretText) -> SealedSecret:
        stored = instance.secrets[name]
        sealed = await self._cipher.seal(secret, instance.address_of(stored))
        fingerprint = (await self._cipher.fingerprints(secret))[0] if stored.fingerprint is not None else None
        return msgspec.structs.replace(stored, sealed=sealed, fingerprint=fingerprint)
