from collections.abc import Awaitable, Callable, Sequence

import msgspec
import pytest

from polyant.adapters.crypto.data_cipher import AesGcmDataCipher
from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.audit_log import MemoryAuditLog
from polyant.adapters.memory.key_check import MemoryKeyCheck
from polyant.domain.audit import CLI, AuditEntry, AuditQuery
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instance_states import InstanceState
from polyant.domain.instances import Instance, InstanceQuery, Slug
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretName, SecretText
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.use_cases.check_master_key import (
    CheckMasterKey,
    OlderMasterKeyMissingError,
    WrongMasterKeyError,
)
from polyant.domain.use_cases.reseal_secrets import (
    OlderKeyInUseError,
    OlderSecrets,
    Resealed,
    ResealSecrets,
    SecretPlace,
)
from polyant.domain.use_cases.rewrap_data_keys import RewrapDataKeys
from polyant.testing.conversation_store import api_lane
from support.conversations import ConversationHarness
from support.harness import RacedInstanceRepo, UseCaseHarness

OLD, NEW, NEWEST = (SecretText(digit * 64) for digit in "abc")
VENDOR_KEY = SecretName("vendor_api_key")
SLUGS = [Slug(f"bot-{number}") for number in range(3)]


def ring(*keys: SecretText) -> AesGcmSecretCipher:
    return AesGcmSecretCipher(master_keys=keys)


class WatchedInstanceRepo(RacedInstanceRepo):
    """An instance repo that runs an action before each save."""

    def __init__(self) -> None:
        super().__init__()
        self.before_save: Callable[[Instance], Awaitable[None]] | None = None

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        if self.before_save is not None:
            await self.before_save(instance)
        return await super().save(instance, audit=audit, replaced=replaced, skill_files=skill_files)


class Store:
    """Three instances with two secrets each, encrypted with the old key; the last one is disabled."""

    def __init__(self) -> None:
        self.repo = WatchedInstanceRepo()
        self.stored = ConversationHarness(ring(OLD))
        self.key_check = MemoryKeyCheck()
        self.audit_log = MemoryAuditLog(memory=self.repo._memory)
        self.harness = UseCaseHarness(repo=self.repo, cipher=ring(OLD))

    async def fill(self) -> None:
        await self.check(OLD).keep()
        for slug in SLUGS:
            await self.harness.add_instance(slug, provider="vendor", active=slug != SLUGS[-1])
            await self.harness.set_secret(slug, AUTH_API_KEY, f"sk-of-callers-{slug}")
            await self.harness.set_secret(slug, VENDOR_KEY, f"sk-of-vendor-{slug}")
        self.harness.clock.advance(60)

    def check(self, *keys: SecretText) -> CheckMasterKey:
        return CheckMasterKey(cipher=ring(*keys), key_check=self.key_check)

    def reseal(self, *keys: SecretText) -> ResealSecrets:
        return ResealSecrets(
            repo=self.repo,
            cipher=ring(*keys),
            key_check=self.key_check,
            audit_log=self.audit_log,
            clock=self.harness.clock,
            rewrap=RewrapDataKeys(
                maintenance=self.stored.maintenance, data_cipher=AesGcmDataCipher(cipher=ring(*keys))
            ),
        )

    async def instances(self) -> list[Instance]:
        return [await self.harness.load(slug) for slug in SLUGS]

    async def decrypt(self, *keys: SecretText) -> dict[str, str]:
        """Returns every secret; the keys must decrypt them all."""
        cipher = ring(*keys)
        return {
            f"{instance.slug} {secret.name}": (await cipher.open(secret.sealed, instance.address_of(secret))).reveal()
            for instance in await self.instances()
            for secret in instance.secrets.values()
        }

    async def accepted_keys(self) -> set[str]:
        """Returns the accepted key sets at startup, out of `old`, `new` and `both`."""
        fit = set()
        for name, keys in {"old": (OLD,), "new": (NEW,), "both": (NEW, OLD)}.items():
            try:
                await self.check(*keys).verify()
                fit.add(name)
            except (WrongMasterKeyError, OlderMasterKeyMissingError):
                pass
        return fit

    async def tamper(self, slug: Slug, name: SecretName, sealed: str) -> None:
        def change(instance: Instance, _: object) -> Instance:
            changed = msgspec.structs.replace(instance.secrets[name], sealed=sealed)
            return msgspec.structs.replace(instance, secrets={**instance.secrets, name: changed})

        await self.harness.apply_edit(slug, change)


@pytest.fixture
async def store() -> Store:
    store = Store()
    await store.fill()
    return store


async def test_new_key_alone_decrypts_everything_afterwards(store: Store) -> None:
    before = await store.decrypt(OLD)
    assert await store.reseal(NEW, OLD)(by=CLI) == Resealed(secrets=6, instances=3, unreadable=())
    assert await store.decrypt(NEW) == before
    assert before["bot-2 vendor_api_key"] == "sk-of-vendor-bot-2"


async def test_only_secrets_and_version_of_an_instance_change(store: Store) -> None:
    before = await store.instances()
    await store.reseal(NEW, OLD)(by=CLI)
    for old, new in zip(before, await store.instances(), strict=True):
        assert msgspec.structs.replace(new, secrets={}) == msgspec.structs.replace(
            old, secrets={}, version=old.version + 1
        )
        for name, secret in new.secrets.items():
            was = old.secrets[name]
            assert secret.sealed != was.sealed
            assert msgspec.structs.replace(secret, sealed=was.sealed, fingerprint=was.fingerprint) == was


async def test_previous_key_keeps_its_expiry(store: Store) -> None:
    await store.harness.issue_key(SLUGS[0], grace_seconds=60)
    before = (await store.instances())[0].secrets[PREVIOUS_AUTH_API_KEY]
    await store.reseal(NEW, OLD)(by=CLI)
    after = (await store.instances())[0].secrets[PREVIOUS_AUTH_API_KEY]
    assert after.expires_at == before.expires_at is not None
    assert (after.fingerprint,) == await ring(NEW).fingerprints(SecretText("sk-of-callers-bot-0"))
    assert (await store.decrypt(NEW))["bot-0 auth_api_key_previous"] == "sk-of-callers-bot-0"


async def test_caller_is_found_by_the_new_keys_fingerprint(store: Store) -> None:
    await store.reseal(NEW, OLD)(by=CLI)
    [fingerprint] = await ring(NEW).fingerprints(SecretText("sk-of-callers-bot-1"))
    found = await store.repo.list(InstanceQuery(key_fingerprints=(fingerprint,)))
    assert [instance.slug for instance in found.instances] == ["bot-1"]
    assert (await store.instances())[1].secrets[VENDOR_KEY].fingerprint is None


async def test_completed_rotation_writes_nothing(store: Store) -> None:
    await store.reseal(NEW, OLD)(by=CLI)
    before = (await store.repo.changes_since(0)).revision, await store.key_check.read()
    assert await store.reseal(NEW, OLD)(by=CLI) == Resealed(secrets=0, instances=0, unreadable=())
    assert ((await store.repo.changes_since(0)).revision, await store.key_check.read()) == before


async def test_empty_store_accepts_the_key(store: Store) -> None:
    for slug in SLUGS:
        await store.repo.delete(slug)
    assert await store.reseal(NEW, OLD)(by=CLI) == Resealed(secrets=0, instances=0, unreadable=())
    assert await store.accepted_keys() == {"new", "both"}


async def test_accepted_keys_change_during_the_rotation(store: Store) -> None:
    meanwhile: list[set[str]] = []

    async def note(_: Instance) -> None:
        meanwhile.append(await store.accepted_keys())

    store.repo.before_save = note
    assert await store.accepted_keys() == {"old", "both"}
    await store.reseal(NEW, OLD)(by=CLI)
    assert meanwhile == [{"both"}] * 3
    assert await store.accepted_keys() == {"new", "both"}


@pytest.mark.parametrize("saves", range(3))
async def test_interrupted_rotation_resumes_where_it_stopped(store: Store, saves: int) -> None:
    left = saves

    async def interrupt(_: Instance) -> None:
        nonlocal left
        if not left:
            raise StorageUnavailableError
        left -= 1

    store.repo.before_save = interrupt
    with pytest.raises(StorageUnavailableError):
        await store.reseal(NEW, OLD)(by=CLI)
    assert await store.accepted_keys() == {"both"}
    store.repo.before_save = None
    rest = await store.reseal(NEW, OLD)(by=CLI)
    assert (rest.instances, rest.secrets) == (3 - saves, 2 * (3 - saves))
    assert len(await store.decrypt(NEW)) == 6
    assert await store.accepted_keys() == {"new", "both"}


async def test_key_can_be_replaced_again_during_a_rotation(store: Store) -> None:
    async def interrupt(instance: Instance) -> None:
        if instance.slug == SLUGS[1]:
            raise StorageUnavailableError

    store.repo.before_save = interrupt
    with pytest.raises(StorageUnavailableError):
        await store.reseal(NEW, OLD)(by=CLI)
    store.repo.before_save = None
    for too_few in ((NEWEST,), (NEWEST, OLD), (NEWEST, NEW)):
        with pytest.raises((WrongMasterKeyError, OlderMasterKeyMissingError)):
            await store.reseal(*too_few)(by=CLI)
    assert (await store.reseal(NEWEST, NEW, OLD)(by=CLI)).secrets == 6
    assert len(await store.decrypt(NEWEST)) == 6
    await store.check(NEWEST).verify()


async def test_rotation_can_be_reverted(store: Store) -> None:
    await store.reseal(NEW, OLD)(by=CLI)
    assert (await store.reseal(OLD, NEW)(by=CLI)).secrets == 6
    assert len(await store.decrypt(OLD)) == 6
    assert await store.accepted_keys() == {"old", "both"}


async def test_concurrent_write_is_kept_and_re_encrypted(store: Store) -> None:
    store.repo.races = 2
    assert (await store.reseal(NEW, OLD)(by=CLI)).secrets == 6
    assert [instance.description for instance in await store.instances()] == ["x", "x", ""]
    assert len(await store.decrypt(NEW)) == 6


async def test_instance_deleted_during_the_rotation_is_skipped(store: Store) -> None:
    async def delete(instance: Instance) -> None:
        if instance.slug == SLUGS[1]:
            await store.repo.delete(instance.slug)

    store.repo.before_save = delete
    assert await store.reseal(NEW, OLD)(by=CLI) == Resealed(secrets=4, instances=2, unreadable=())


async def test_secret_encrypted_with_the_old_key_during_the_rotation_is_found(store: Store) -> None:
    async def store_concurrently(instance: Instance) -> None:
        if instance.slug == SLUGS[2]:
            store.repo.before_save = None
            await store.harness.set_secret(SLUGS[0], "another", "sealed late")

    store.repo.before_save = store_concurrently
    assert (await store.reseal(NEW, OLD)(by=CLI)) == Resealed(secrets=7, instances=3, unreadable=())
    assert (await store.decrypt(NEW))["bot-0 another"] == "sealed late"


async def test_constantly_changed_instances_prevent_completion(store: Store) -> None:
    store.repo.races = 1_000
    with pytest.raises(OlderKeyInUseError):
        await store.reseal(NEW, OLD)(by=CLI)
    assert await store.accepted_keys() == {"both"}


async def test_undecryptable_secret_is_reported_and_skipped(store: Store) -> None:
    secret = (await store.instances())[2].secrets[VENDOR_KEY]
    moved = secret.sealed
    foreign = await ring(NEWEST).seal(SecretText("sk-foreign"), (await store.instances())[1].address_of(secret))
    await store.tamper(SLUGS[0], AUTH_API_KEY, "rubbish")
    await store.tamper(SLUGS[0], VENDOR_KEY, moved)
    await store.tamper(SLUGS[1], VENDOR_KEY, foreign)
    resealed = await store.reseal(NEW, OLD)(by=CLI)
    unreadable = {(SLUGS[0], AUTH_API_KEY), (SLUGS[0], VENDOR_KEY), (SLUGS[1], VENDOR_KEY)}
    assert (resealed.secrets, resealed.instances) == (3, 2)
    assert {(place.instance, place.name) for place in resealed.unreadable} == unreadable
    kept = await store.instances()
    assert [kept[0].secrets[VENDOR_KEY].sealed, kept[1].secrets[VENDOR_KEY].sealed] == [moved, foreign]
    assert await store.accepted_keys() == {"new", "both"}


async def test_survey_counts_and_changes_nothing(store: Store) -> None:
    await store.tamper(SLUGS[2], VENDOR_KEY, "rubbish")
    before = await store.instances()
    assert await store.reseal(NEW, OLD).survey() == OlderSecrets(
        readable={SLUGS[0]: 2, SLUGS[1]: 2, SLUGS[2]: 1}, unreadable=(SecretPlace(SLUGS[2], VENDOR_KEY),)
    )
    assert await store.instances() == before
    assert await store.accepted_keys() == {"old", "both"}


async def test_progress_is_reported_for_each_round(store: Store) -> None:
    reported: list[tuple[int, int, int]] = []
    await store.reseal(NEW, OLD)(lambda *progress: reported.append(progress), by=CLI)
    assert reported == [(number, done, 3) for number in (1, 2) for done in range(4)]


async def test_audit_trail_has_each_instance_and_finally_the_key(store: Store) -> None:
    async def actions() -> list[tuple[str, str | None, tuple[str, ...]]]:
        entries = (await store.audit_log.list(AuditQuery(user=CLI, action="secret.reseal"))).entries
        rotations = (await store.audit_log.list(AuditQuery(action="master_key"))).entries
        return [(each.action, each.instance, each.details) for each in (*rotations, *reversed(entries))]

    names = (AUTH_API_KEY, VENDOR_KEY)
    resealed = [("secret.reseal", slug, names) for slug in SLUGS]
    await store.reseal(NEW, OLD)(by=CLI)
    assert await actions() == [("master_key.rotate", None, ()), *resealed]
    await store.reseal(NEW, OLD)(by=CLI)  # finds nothing to do
    assert len(await actions()) == 4


async def test_rotation_interrupted_at_the_very_end_is_audited(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: CheckMasterKey) -> None:
        raise StorageUnavailableError

    monkeypatch.setattr(CheckMasterKey, "end_change", fail)
    with pytest.raises(StorageUnavailableError):
        await store.reseal(NEW, OLD)(by=CLI)
    assert len((await store.audit_log.list(AuditQuery(action="master_key"))).entries) == 1


async def test_data_keys_are_wrapped_before_the_older_key_may_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = api_lane()
    draft = await store.stored.keys.draft(lane)
    await store.stored.repo.start(draft.conversation)

    async def fail(*_: object) -> int:
        raise StorageUnavailableError

    with monkeypatch.context() as broken:
        broken.setattr(store.stored.maintenance, "replace_keys", fail)
        with pytest.raises(StorageUnavailableError):
            await store.reseal(NEW, OLD)(by=CLI)
    assert await store.accepted_keys() == {"both"}
    assert (await store.reseal(NEW, OLD)(by=CLI)).data_keys == 1
    assert await store.accepted_keys() == {"new", "both"}
    found = await store.stored.repo.current(lane.id, newest=0)
    assert found is not None
    await AesGcmDataCipher(cipher=ring(NEW)).unwrap_key(found.conversation.data_key, found.conversation.id)
