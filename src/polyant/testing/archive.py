"""The contract of the port Archive."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from polyant.domain.audit import CLI, SERVER, AuditEntry, AuditQuery, Change
from polyant.domain.backups import StoredItem, StoreNotEmptyError
from polyant.domain.channels import ChannelConnection
from polyant.domain.conversations import INDEX_DAY, KeyKind, StoredConversation, StoredMessage, TurnId, WrappedKey
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instances import Instance
from polyant.domain.ports.archive import Archive
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.users import StoredSession, User
from polyant.testing.audit_log import entry_of
from polyant.testing.channel_connection_factory import connection_of
from polyant.testing.contract import Contract, proves
from polyant.testing.conversation_store import assistant_message, conversation_of, event_of, lane_of, user_message
from polyant.testing.factories import InstanceFactory, UserFactory
from polyant.testing.skill_files import content_of_skill, state_before, with_skills

_NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
_DAY = date(2026, 5, 4)
_RESTORED = Change(CLI, "backup.restore").entry(_NOW)


def created(action: str, *, by: str = SERVER) -> AuditEntry:
    """Returns the audit entry of a creation."""
    return entry_of(actor=by, action=action)


async def iterate(items: Iterable[StoredItem]) -> AsyncIterator[StoredItem]:
    """Yields the items."""
    for item in items:
        yield item


async def items_of(archive: Archive) -> list[StoredItem]:
    """Returns the items in a snapshot."""
    async with archive.snapshot() as items:
        return [item async for item in items]


def any_items(number: int = 3) -> list[StoredItem]:
    """Returns that many instances, channel connections, conversations, users and audit entries."""
    instances: list[Instance] = [InstanceFactory.build(version=version) for version in range(1, number + 1)]
    return [
        *instances,
        *(
            connection_of(instance_id=each.id, slug=each.slug, account=each.id, version=each.version)
            for each in instances
        ),
        *any_conversations(instances),
        *(UserFactory.build(version=version, disabled=version == 1) for version in range(1, number + 1)),
        *(entry_of(details=(str(position),)) for position in range(number)),
    ]


def any_conversations(instances: Sequence[Instance]) -> list[StoredItem]:
    """Returns the data key of hashes, and a conversation with two messages for each instance."""
    conversations = [
        conversation_of(f"c{each.id}", f"lane-{each.id}", instance=each.id, messages=2, unanswered=1, user="hash")
        for each in instances
    ]
    return [
        key_of(INDEX_DAY),
        *(StoredConversation(conversation=each, is_current=number > 0) for number, each in enumerate(conversations)),
        *(
            StoredMessage(conversation=each.id, message=message)
            for each in conversations
            for message in (
                assistant_message(f"{each.id}-1", turn=TurnId(f"turn-{each.id}"), tools=("calculate",)),
                user_message(f"{each.id}-2", answered=False, digest="digest", sender="hash"),
            )
        ),
    ]


def key_of(day: date, *, key: str = "wrapped") -> WrappedKey:
    """Returns the data key of a day."""
    return WrappedKey(kind=KeyKind.INGEST, id=day.isoformat(), key=key, wrapped_by="master-1")


def sorted_items(items: Iterable[StoredItem]) -> Sequence[StoredItem]:
    """Returns the items with instances, files and users ordered by id, and audit entries in their order."""
    return sorted(items, key=_place_of)


def _place_of(item: StoredItem) -> str:
    match item:
        case AuditEntry():
            return ""
        case StoredSkillFile():
            return f"{item.instance} {item.digest} {item.path}"
        case StoredConversation():
            return item.conversation.id
        case StoredMessage():
            return f"{item.conversation} {item.message.id}"
        case _:
            return item.id


class ArchiveContract(Contract):
    """The tests that every Archive must pass; subclasses provide an empty one, and the repositories of its store."""

    @pytest.fixture
    def archive(self) -> Archive:
        raise NotImplementedError("return an Archive of an empty store")

    @pytest.fixture
    def instance_repo(self) -> InstanceRepo:
        raise NotImplementedError("return the InstanceRepo of the same store")

    @pytest.fixture
    def skill_files(self) -> SkillFiles:
        raise NotImplementedError("return the SkillFiles of the same store")

    @pytest.fixture
    def connections(self) -> ChannelConnections:
        raise NotImplementedError("return the ChannelConnections of the same store")

    @pytest.fixture
    def conversation_repo(self) -> ConversationRepo:
        raise NotImplementedError("return the ConversationRepo of the same store")

    @pytest.fixture
    def inbox(self) -> Inbox:
        raise NotImplementedError("return the Inbox of the same store")

    @pytest.fixture
    def user_repo(self) -> UserRepo:
        raise NotImplementedError("return the UserRepo of the same store")

    @pytest.fixture
    def session_repo(self) -> SessionRepo:
        raise NotImplementedError("return the SessionRepo of the same store")

    @pytest.fixture
    def audit_log(self) -> AuditLog:
        raise NotImplementedError("return the AuditLog of the same store")

    @pytest.fixture
    async def initial(self, instance_repo: InstanceRepo, user_repo: UserRepo) -> tuple[Instance, User]:
        """The instance and the user that the server created."""
        instance = await instance_repo.add(InstanceFactory.build(), audit=created("instance.create"))
        return instance, await user_repo.add(UserFactory.build(), audit=created("user.create"))

    def test_implements_the_port(self, archive: Archive) -> None:
        assert isinstance(archive, Archive)

    async def test_snapshot_of_an_empty_store_has_no_items(self, archive: Archive) -> None:
        assert await items_of(archive) == []

    @proves(
        "Opens a snapshot and yields its items, one kind after the other.",
        "Audit entries are in the order of their storage.",
    )
    async def test_snapshot_yields_instances_users_and_audit_entries_as_stored(
        self, archive: Archive, instance_repo: InstanceRepo, user_repo: UserRepo, audit_log: AuditLog
    ) -> None:
        instances = [await instance_repo.add(InstanceFactory.build()) for _ in range(3)]
        changed = await instance_repo.save(instances[0])
        users = [await user_repo.add(UserFactory.build()) for _ in range(3)]
        entries = [entry_of(details=(str(number),)) for number in range(3)]
        for entry in entries:
            await audit_log.add(entry)
        found = await items_of(archive)
        assert [type(item) for item in found] == [Instance] * 3 + [User] * 3 + [AuditEntry] * 3
        assert sorted_items(found) == sorted_items([changed, *instances[1:], *users, *entries])

    @proves(
        "The history of instances, events, deliveries, sessions, turn metrics, rate limits and the KeyCheck's value "
        "aren't copied.",
        "The kinds are instances, skill files, channel connections, the data key of hashes, conversations, messages, "
        "users and audit entries.",
    )
    async def test_snapshot_has_each_kind_and_nothing_else(  # noqa: PLR0917 - each fixture is an argument
        self,
        archive: Archive,
        instance_repo: InstanceRepo,
        connections: ChannelConnections,
        conversation_repo: ConversationRepo,
        inbox: Inbox,
        user_repo: UserRepo,
        session_repo: SessionRepo,
        audit_log: AuditLog,
    ) -> None:
        """The store has states, sessions, events and the key of a day, too."""
        instance, files = with_skills(InstanceFactory.build(), content_of_skill())
        stored = await instance_repo.add(instance, skill_files=files)
        changed = msgspec.structs.replace(stored, name="New")
        saved = await instance_repo.save(changed, replaced=state_before(stored, changed))
        connection = await connections.add(connection_of(instance_id=saved.id, slug=saved.slug))
        key = await inbox.ingest_key(INDEX_DAY, key_of(INDEX_DAY))
        await inbox.ingest_key(_DAY, key_of(_DAY))
        await inbox.receive([event_of(lane=lane_of("lane-2", instance=saved.id))])
        started = await conversation_repo.start(conversation_of(instance=saved.id))
        await conversation_repo.append(started.id, [user_message()])
        user = await user_repo.add(UserFactory.build())
        session = StoredSession(token_id="token", user_id=user.id, expires_at=_NOW + timedelta(days=1))  # noqa: S106
        await session_repo.add(session, user_version=user.version, now=_NOW)
        await audit_log.add(entry_of())
        conversation = (await conversation_repo.show(started.id)).conversation
        assert await items_of(archive) == [
            saved,
            *files,
            connection,
            key,
            StoredConversation(conversation=conversation, is_current=True),
            StoredMessage(conversation=started.id, message=user_message()),
            user,
            entry_of(),
        ]

    @proves("Files that only the history of an instance needs are left out.")
    async def test_snapshot_has_the_files_of_current_skills(
        self, archive: Archive, instance_repo: InstanceRepo
    ) -> None:
        """Files that only the history needs are left out; equal skills of two instances have files of their own."""
        first, old = with_skills(InstanceFactory.build(), content_of_skill(instructions="Old."))
        second, theirs = with_skills(InstanceFactory.build(), content_of_skill())
        stored = await instance_repo.add(first, skill_files=old)
        other = await instance_repo.add(second, skill_files=theirs)
        changed, mine = with_skills(stored, content_of_skill())
        saved = await instance_repo.save(changed, skill_files=mine, replaced=state_before(stored, changed))
        found = await items_of(archive)
        assert [type(item) for item in found] == [Instance] * 2 + [StoredSkillFile] * len([*mine, *theirs])
        assert sorted_items(found) == sorted_items([saved, other, *mine, *theirs])

    @proves(
        "The kinds are instances, skill files, channel connections, the data key of hashes, conversations, messages, "
        "users and audit entries.",
    )
    async def test_snapshot_has_many_files(self, archive: Archive, instance_repo: InstanceRepo) -> None:
        contents = [content_of_skill(f"skill-{number}", instructions=f"Number {number}") for number in range(20)]
        instance, files = with_skills(InstanceFactory.build(), *contents)
        await instance_repo.add(instance, skill_files=files)
        assert len(await items_of(archive)) == 1 + len(files) == 101

    async def test_restored_skills_can_be_read(
        self, archive: Archive, instance_repo: InstanceRepo, skill_files: SkillFiles
    ) -> None:
        instance, files = with_skills(InstanceFactory.build(version=3), content_of_skill())
        await archive.restore(iterate([instance, *files]), audit=_RESTORED)
        assert await instance_repo.get(instance.slug) == instance
        found = await skill_files.read_all(instance.id, instance.skills[0].digest)
        assert [(file.path, file.content) for file in found] == [(file.path, file.content) for file in files]

    @proves(
        "Items are read while they are iterated, in bounded memory, and changes made after the opening "
        "are not visible.",
        "Writers aren't blocked.",
    )
    async def test_snapshot_does_not_contain_later_changes(
        self, archive: Archive, instance_repo: InstanceRepo, user_repo: UserRepo, audit_log: AuditLog
    ) -> None:
        """Changes are written both before the first item is read and between items."""
        instance, user = await instance_repo.add(InstanceFactory.build()), await user_repo.add(UserFactory.build())
        async with archive.snapshot() as items:
            await instance_repo.delete(instance.slug, audit=entry_of())
            await instance_repo.add(InstanceFactory.build())
            found = [await anext(items)]
            await user_repo.save(user)
            await audit_log.add(entry_of())
            found += [item async for item in items]
        assert found == [instance, user]
        assert len(await items_of(archive)) == 4

    async def test_abandoned_snapshot_leaves_the_store_usable(
        self, archive: Archive, instance_repo: InstanceRepo
    ) -> None:
        for _ in range(3):
            await instance_repo.add(InstanceFactory.build())
        async with archive.snapshot() as items:
            await anext(items)
        await instance_repo.add(InstanceFactory.build())
        assert len(await items_of(archive)) == 4

    @proves("Every field of an item is stored as it is, versions and times included.")
    async def test_restored_items_are_unchanged(self, archive: Archive) -> None:
        items = any_items()
        await archive.restore(iterate(items), audit=_RESTORED)
        assert sorted_items(await items_of(archive)) == sorted_items([*items, _RESTORED])

    @proves("The audit entries keep their order.")
    async def test_repositories_return_restored_items(  # noqa: PLR0917 - each fixture is an argument
        self,
        archive: Archive,
        instance_repo: InstanceRepo,
        connections: ChannelConnections,
        conversation_repo: ConversationRepo,
        inbox: Inbox,
        user_repo: UserRepo,
        audit_log: AuditLog,
    ) -> None:
        items = any_items()
        await archive.restore(iterate(items), audit=_RESTORED)
        for item in items:
            match item:
                case Instance():
                    assert await instance_repo.get(item.slug) == item
                case ChannelConnection():
                    assert await connections.get(item.id) == item
                case WrappedKey():
                    assert await inbox.ingest_key(INDEX_DAY) == item
                case StoredConversation():
                    assert (await conversation_repo.show(item.conversation.id)).conversation == item.conversation
                    current = await conversation_repo.current(item.conversation.lane, newest=0)
                    assert (current is not None) is item.is_current
                case StoredMessage():
                    assert item.message in (await conversation_repo.show(item.conversation)).messages
                case User():
                    assert await user_repo.get(item.id) == item
        trail = (await audit_log.list(AuditQuery())).entries
        assert [entry for entry in reversed(trail) if entry != _RESTORED] == [
            item for item in items if isinstance(item, AuditEntry)
        ]

    async def test_restored_items_can_be_changed(
        self, archive: Archive, instance_repo: InstanceRepo, user_repo: UserRepo, audit_log: AuditLog
    ) -> None:
        instance, user = InstanceFactory.build(version=7), UserFactory.build(version=9)
        await archive.restore(iterate([instance, user, entry_of()]), audit=_RESTORED)
        assert (await instance_repo.save(instance)).version == 8
        assert (await user_repo.save(user)).version == 10
        await audit_log.add(entry_of())
        assert len(await items_of(archive)) == 5

    @proves("The audit entries keep their order.")
    async def test_many_items_are_restored(self, archive: Archive) -> None:
        """A page of an adapter may have some hundred rows, and a statement some thousand parameters."""
        items = [*any_items(60), *(entry_of(details=(f"entry {number}",)) for number in range(1_001))]
        await archive.restore(iterate(items), audit=_RESTORED)
        assert sorted_items(await items_of(archive)) == sorted_items([*items, _RESTORED])

    @proves(
        "Atomically replaces the initial data with the items, then adds the audit entry.",
        "All sessions end.",
    )
    async def test_restore_replaces_initial_data(
        self, archive: Archive, initial: tuple[Instance, User], session_repo: SessionRepo
    ) -> None:
        _, user = initial
        session = StoredSession(token_id="token", user_id=user.id, expires_at=_NOW + timedelta(days=1))  # noqa: S106
        await session_repo.add(session, user_version=user.version, now=_NOW)
        items: list[StoredItem] = [InstanceFactory.build(version=1), user]
        await archive.restore(iterate(items), audit=_RESTORED)
        assert await items_of(archive) == [*items, _RESTORED]
        assert await session_repo.user_of("token", now=_NOW) is None

    async def test_restored_instance_may_have_the_slug_and_id_of_an_initial_one(
        self, archive: Archive, initial: tuple[Instance, User]
    ) -> None:
        instance, user = initial
        items: list[StoredItem] = [
            msgspec.structs.replace(instance, version=5),
            msgspec.structs.replace(user, version=5),
        ]
        await archive.restore(iterate(items), audit=_RESTORED)
        assert await items_of(archive) == [*items, _RESTORED]

    @proves(
        "The InstanceRepo's changes include the slugs of removed and restored instances, and its "
        "revision is never 0 afterwards.",
    )
    async def test_changes_include_removed_and_restored_slugs(
        self, archive: Archive, instance_repo: InstanceRepo, initial: tuple[Instance, User]
    ) -> None:
        before = (await instance_repo.changes_since(0)).revision
        restored = InstanceFactory.build(version=1)
        await archive.restore(iterate([restored]), audit=_RESTORED)
        changes = await instance_repo.changes_since(before)
        assert changes.revision > before
        assert changes.slugs >= {initial[0].slug, restored.slug}

    @proves(
        "The InstanceRepo's changes include the slugs of removed and restored instances, and its "
        "revision is never 0 afterwards.",
    )
    async def test_revision_is_not_zero_after_restoring_no_instance(
        self, archive: Archive, instance_repo: InstanceRepo
    ) -> None:
        await archive.restore(iterate([]), audit=_RESTORED)
        assert (await instance_repo.changes_since(0)).revision > 0

    async def test_new_store_counts_as_empty(self, archive: Archive) -> None:
        await archive.check_empty()

    @proves("A store with nothing else but data keys of days counts as empty.")
    @pytest.mark.usefixtures("initial")
    async def test_keys_of_days_count_as_nothing(self, archive: Archive, inbox: Inbox) -> None:
        for day in (INDEX_DAY, _DAY):
            await inbox.ingest_key(day, key_of(day))
        await archive.check_empty()
        items: list[StoredItem] = [key_of(INDEX_DAY, key="theirs")]
        await archive.restore(iterate(items), audit=_RESTORED)
        assert await items_of(archive) == [*items, _RESTORED]

    @proves(
        "The initial data of a store are at most one instance and one user, both created by the server "
        "and never changed, and one audit entry for each.",
        "Returns if the store contains nothing but its initial data.",
    )
    @pytest.mark.usefixtures("initial")
    async def test_initial_data_count_as_empty(self, archive: Archive) -> None:
        await archive.check_empty()

    @proves("StoreNotEmptyError: It contains more.")
    @pytest.mark.usefixtures("initial")
    async def test_other_audit_entry_makes_the_store_not_empty(self, archive: Archive, audit_log: AuditLog) -> None:
        await audit_log.add(entry_of(actor="ann@example.com", action="session.login"))
        await self._check_not_empty(archive)

    @proves(
        "The initial data of a store are at most one instance and one user, both created by the server "
        "and never changed, and one audit entry for each.",
    )
    @pytest.mark.usefixtures("initial")
    async def test_second_entry_by_the_server_makes_the_store_not_empty(
        self, archive: Archive, audit_log: AuditLog
    ) -> None:
        await audit_log.add(entry_of(actor=SERVER, action="instance.delete"))
        await self._check_not_empty(archive)

    @proves(
        "The initial data of a store are at most one instance and one user, both created by the server "
        "and never changed, and one audit entry for each.",
        "StoreNotEmptyError: The store contains more than its initial data; nothing changes.",
    )
    @pytest.mark.usefixtures("initial")
    async def test_second_instance_makes_the_store_not_empty(
        self, archive: Archive, instance_repo: InstanceRepo
    ) -> None:
        await instance_repo.add(InstanceFactory.build(), audit=created("instance.create"))
        await self._check_not_empty(archive)

    @proves(
        "The initial data of a store are at most one instance and one user, both created by the server "
        "and never changed, and one audit entry for each.",
    )
    @pytest.mark.usefixtures("initial")
    async def test_second_user_makes_the_store_not_empty(self, archive: Archive, user_repo: UserRepo) -> None:
        await user_repo.add(UserFactory.build(), audit=created("user.create"))
        await self._check_not_empty(archive)

    @proves("StoreNotEmptyError: It contains more.")
    async def test_connection_makes_the_store_not_empty(
        self, archive: Archive, initial: tuple[Instance, User], connections: ChannelConnections
    ) -> None:
        await connections.add(connection_of(instance_id=initial[0].id, slug=initial[0].slug))
        await self._check_not_empty(archive)

    @proves("StoreNotEmptyError: It contains more.")
    @pytest.mark.usefixtures("initial")
    async def test_conversation_makes_the_store_not_empty(
        self, archive: Archive, conversation_repo: ConversationRepo
    ) -> None:
        await conversation_repo.start(conversation_of())
        await self._check_not_empty(archive)

    @proves("StoreNotEmptyError: It contains more.")
    @pytest.mark.usefixtures("initial")
    async def test_event_makes_the_store_not_empty(self, archive: Archive, inbox: Inbox) -> None:
        """Otherwise the restored instances would answer it."""
        await inbox.receive([event_of()])
        await self._check_not_empty(archive)

    @proves(
        "The initial data of a store are at most one instance and one user, both created by the server "
        "and never changed, and one audit entry for each.",
    )
    async def test_changed_instance_makes_the_store_not_empty(
        self, archive: Archive, initial: tuple[Instance, User], instance_repo: InstanceRepo
    ) -> None:
        await instance_repo.save(initial[0])
        await self._check_not_empty(archive)

    @proves(
        "The initial data of a store are at most one instance and one user, both created by the server "
        "and never changed, and one audit entry for each.",
    )
    async def test_changed_user_makes_the_store_not_empty(
        self, archive: Archive, initial: tuple[Instance, User], user_repo: UserRepo
    ) -> None:
        await user_repo.save(initial[1])
        await self._check_not_empty(archive)

    async def test_instance_without_an_audit_entry_makes_the_store_not_empty(
        self, archive: Archive, instance_repo: InstanceRepo
    ) -> None:
        await instance_repo.add(InstanceFactory.build())
        await self._check_not_empty(archive)

    @proves("StoreNotEmptyError: It contains more.")
    async def test_instance_of_another_author_makes_the_store_not_empty(
        self, archive: Archive, instance_repo: InstanceRepo
    ) -> None:
        await instance_repo.add(InstanceFactory.build(), audit=created("instance.create", by=CLI))
        await self._check_not_empty(archive)

    @proves("Exception: The iteration of the items raised it; nothing changes.")
    @pytest.mark.usefixtures("initial")
    async def test_error_while_iterating_changes_nothing(self, archive: Archive, instance_repo: InstanceRepo) -> None:
        before, revision = await items_of(archive), (await instance_repo.changes_since(0)).revision

        async def failing() -> AsyncIterator[StoredItem]:
            for item in any_items(60):
                yield item
            raise LookupError

        with pytest.raises(LookupError):
            await archive.restore(failing(), audit=_RESTORED)
        assert await items_of(archive) == before
        assert (await instance_repo.changes_since(0)).revision == revision
        await archive.check_empty()

    async def _check_not_empty(self, archive: Archive) -> None:
        before = await items_of(archive)
        with pytest.raises(StoreNotEmptyError):
            await archive.check_empty()
        with pytest.raises(StoreNotEmptyError):
            await archive.restore(iterate(any_items()), audit=_RESTORED)
        assert await items_of(archive) == before


class ArchiveOutageContract(Contract):
    """The additional tests for an Archive whose store can fail; subclasses provide one with an unavailable store."""

    @pytest.fixture
    def unavailable(self) -> Archive:
        raise NotImplementedError("return an Archive whose store is unavailable")

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    async def test_snapshot_reports_unavailable_store(self, unavailable: Archive) -> None:
        with pytest.raises(StorageUnavailableError):
            await items_of(unavailable)

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    async def test_check_empty_reports_unavailable_store(self, unavailable: Archive) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.check_empty()

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    async def test_restore_reports_unavailable_store(self, unavailable: Archive) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.restore(iterate([]), audit=_RESTORED)
