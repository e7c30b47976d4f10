"""The contract of the port ChannelConnections."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from polyant.domain.audit import AuditQuery
from polyant.domain.channel_problems import ChannelProblem, ProblemKind
from polyant.domain.channels import (
    MAX_USERS,
    AmbiguousSends,
    BurstPolicy,
    ChannelAccess,
    ChannelConnection,
    ChannelName,
    ConnectionChangedError,
    ConnectionExistsError,
    ConnectionId,
    ConnectionState,
    Delivery,
    UnknownConnectionError,
)
from polyant.domain.errors import StorageUnavailableError, UnknownInstanceError
from polyant.domain.instances import Instance
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.secrets import SecretName
from polyant.testing.audit_log import entry_of
from polyant.testing.channel_connection_factory import connection_of
from polyant.testing.contract import Contract, proves
from polyant.testing.factories import InstanceFactory

_SLACK = ChannelName("slack")
_UNKNOWN = ConnectionId("x" * 22)
_PROBLEM = ChannelProblem(
    kind=ProblemKind.WEBHOOK_REFUSED, since=datetime(2026, 5, 4, 10, 2, tzinfo=UTC), reason="the signature is wrong"
)


def _connect(instance: Instance, account: str = "4711", **fields: object) -> ChannelConnection:
    return connection_of(instance_id=instance.id, slug=instance.slug, account=account, **fields)


class ChannelConnectionsContract(Contract):
    """The tests that every ChannelConnections must pass; subclasses provide an empty one and what its store shares."""

    @pytest.fixture
    def connections(self) -> ChannelConnections:
        raise NotImplementedError("return an empty ChannelConnections")

    @pytest.fixture
    def instance_repo(self) -> InstanceRepo:
        raise NotImplementedError("return the InstanceRepo of the same store")

    @pytest.fixture
    def audit_log(self) -> AuditLog:
        raise NotImplementedError("return the AuditLog of the same store")

    @pytest.fixture
    async def instance(self, instance_repo: InstanceRepo) -> Instance:
        """A stored instance."""
        return await instance_repo.add(InstanceFactory.build())

    @pytest.fixture
    async def other(self, instance_repo: InstanceRepo) -> Instance:
        """Another stored instance."""
        return await instance_repo.add(InstanceFactory.build())

    def test_implements_the_port(self, connections: ChannelConnections) -> None:
        assert isinstance(connections, ChannelConnections)

    @proves("Returns the connection with that id, or None if it doesn't exist.")
    async def test_unknown_connection_is_none(self, connections: ChannelConnections) -> None:
        assert await connections.get(_UNKNOWN) is None
        assert await connections.get(ConnectionId("a\0b")) is None
        assert await connections.list() == ()

    @proves(
        "Stores the connections of all instances.",
        "Returns the connection with that id, or None if it doesn't exist.",
        "Stores a new connection without problems and returns it with version 1.",
    )
    async def test_added_connection_is_found(self, connections: ChannelConnections, instance: Instance) -> None:
        added = await connections.add(_connect(instance, version=7, problems=(_PROBLEM,)))
        assert added.version == 1
        assert added.problems == ()
        assert await connections.get(added.id) == added
        assert await connections.list() == (added,)

    @proves("Stores the connections of all instances.")
    async def test_all_fields_are_kept(self, connections: ChannelConnections, instance: Instance) -> None:
        connection = _connect(
            instance,
            account_name="@böt",
            delivery=Delivery.PULL,
            credentials={"token": SecretName("a"), "secret": SecretName("b")},
            options={"phone": "1"},
            access=ChannelAccess.ALLOW_LIST,
            users=frozenset({"7", "8"}),
            burst=BurstPolicy.INTERRUPT,
            ambiguous_sends=AmbiguousSends.HOLD,
            state=ConnectionState.PAUSED,
        )
        added = await connections.add(connection)
        assert added == replace(connection, version=1)
        assert await connections.get(connection.id) == added

    async def test_as_many_users_as_allowed_are_kept(self, connections: ChannelConnections, instance: Instance) -> None:
        users = frozenset(f"{number:064}" for number in range(MAX_USERS))
        added = await connections.add(_connect(instance, users=users))
        stored = await connections.get(added.id)
        assert stored is not None
        assert stored.users == users

    @proves(
        "Returns the connections of the instance and the channel, or of all, ordered by creation time, then id.",
    )
    async def test_connections_are_listed_by_instance_and_channel(
        self, connections: ChannelConnections, instance: Instance, other: Instance
    ) -> None:
        first = _connect(instance)
        later = first.created_at + timedelta(microseconds=1)
        one = await connections.add(_connect(instance, "1", created_at=later))
        two = await connections.add(_connect(instance, "1", channel=_SLACK))
        three = await connections.add(_connect(other, "2", created_at=later + timedelta(seconds=1)))
        assert await connections.list() == (two, one, three)
        assert await connections.list(instance_id=instance.id) == (two, one)
        assert await connections.list(channel=_SLACK) == (two,)
        assert await connections.list(instance_id=other.id, channel=_SLACK) == ()

    @proves(
        "Returns the connections of the instance and the channel, or of all, ordered by creation time, then id.",
    )
    async def test_connections_of_equal_age_are_ordered_by_id(
        self, connections: ChannelConnections, instance: Instance
    ) -> None:
        ids = [ConnectionId(letter * 22) for letter in "bA_a-B9"]
        for number, each in enumerate(ids):
            await connections.add(_connect(instance, id=each, channel=ChannelName(f"c{number}")))
        assert [connection.id for connection in await connections.list()] == sorted(ids)

    @proves(
        "ConnectionExistsError: The account belongs to another connection, or the instance has one for the channel.",
    )
    async def test_account_belongs_to_one_connection(
        self, connections: ChannelConnections, instance: Instance, other: Instance
    ) -> None:
        added = await connections.add(_connect(instance))
        with pytest.raises(ConnectionExistsError, match="This telegram account"):
            await connections.add(_connect(other))
        assert await connections.list() == (added,)
        await connections.add(_connect(other, channel=_SLACK))

    @proves(
        "ConnectionExistsError: The account belongs to another connection, or the instance has one for the channel.",
    )
    async def test_accounts_that_differ_little_are_told_apart(
        self, connections: ChannelConnections, instance_repo: InstanceRepo
    ) -> None:
        for account in (f"{'T' * 63}a", f"{'T' * 63}A", f"{'T' * 63}b", "T" * 63):
            owner = await instance_repo.add(InstanceFactory.build())
            added = await connections.add(_connect(owner, account))
            assert added.account == account
        assert len(await connections.list()) == 4

    @proves(
        "ConnectionExistsError: The account belongs to another connection, or the instance has one for the channel.",
    )
    async def test_instance_has_one_connection_of_a_channel(
        self, connections: ChannelConnections, instance: Instance
    ) -> None:
        await connections.add(_connect(instance))
        with pytest.raises(ConnectionExistsError, match="The instance is already connected"):
            await connections.add(_connect(instance, "other"))

    @proves("Of several concurrent calls, exactly one succeeds.")
    async def test_exactly_one_of_concurrent_additions_succeeds(
        self, connections: ChannelConnections, instance: Instance, other: Instance
    ) -> None:
        calls = [connections.add(_connect(each)) for each in (instance, other, instance, other)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [result for result in results if isinstance(result, ConnectionExistsError)]
        assert len(refused) == 3
        assert len(await connections.list()) == 1

    @proves("UnknownInstanceError: The instance doesn't exist.")
    async def test_connection_needs_its_instance(self, connections: ChannelConnections) -> None:
        with pytest.raises(UnknownInstanceError):
            await connections.add(connection_of())

    @proves("Deleting an instance deletes its connections.")
    async def test_deleting_an_instance_deletes_its_connections(
        self, connections: ChannelConnections, instance_repo: InstanceRepo, instance: Instance, other: Instance
    ) -> None:
        added = await connections.add(_connect(instance))
        kept = await connections.add(_connect(other, "2"))
        await instance_repo.delete(instance.slug)
        assert await connections.get(added.id) is None
        assert await connections.list() == (kept,)
        assert await connections.get(kept.id) == kept

    @proves("Stores a changed connection and returns it with its version incremented.")
    async def test_saved_connection_has_the_next_version(
        self, connections: ChannelConnections, instance: Instance
    ) -> None:
        added = await connections.add(_connect(instance))
        saved = await connections.save(replace(added, account_name="new", users=frozenset()))
        assert saved == replace(added, account_name="new", users=frozenset(), version=2)
        assert await connections.get(added.id) == saved

    @proves(
        "The stored id, channel, instance and creation time never change, and the problems stay.",
        "The account changes only if the stored connection or the given one has none.",
    )
    async def test_permanent_fields_never_change(
        self, connections: ChannelConnections, instance: Instance, other: Instance
    ) -> None:
        added = await connections.add(_connect(instance))
        moved = replace(
            added,
            channel=_SLACK,
            account="other",
            instance_id=other.id,
            slug=other.slug,
            created_at=added.created_at + timedelta(days=1),
            problems=(_PROBLEM,),
        )
        assert await connections.save(moved) == replace(added, version=2)

    @proves("The account changes only if the stored connection or the given one has none.")
    async def test_account_replaces_a_placeholder_and_back(
        self, connections: ChannelConnections, instance: Instance, audit_log: AuditLog
    ) -> None:
        imported = await connections.add(_connect(instance, "-new", state=ConnectionState.DISCONNECTED))
        await connections.set_problem(imported.id, _PROBLEM.kind, _PROBLEM.reason, at=_PROBLEM.since)
        draft = replace(imported, account="4711", state=ConnectionState.ACTIVE, created_at=_PROBLEM.since)
        connected = await connections.save(draft, audit=entry_of())
        kept = {"created_at": imported.created_at, "problems": (_PROBLEM,)}
        assert connected == replace(draft, version=2, **kept)
        assert await connections.list() == (connected,)
        assert len((await audit_log.list(AuditQuery())).entries) == 1
        assert await connections.save(replace(imported, version=2)) == replace(imported, version=3, **kept)

    @proves("ConnectionExistsError: The account belongs to another connection; nothing is stored.")
    async def test_account_of_another_connection_replaces_no_placeholder(
        self, connections: ChannelConnections, instance: Instance, other: Instance, audit_log: AuditLog
    ) -> None:
        await connections.add(_connect(other))
        imported = await connections.add(_connect(instance, "-new", state=ConnectionState.DISCONNECTED))
        draft = replace(imported, account="4711", state=ConnectionState.ACTIVE)
        with pytest.raises(ConnectionExistsError, match="This telegram account"):
            await connections.save(draft, audit=entry_of())
        assert await connections.get(imported.id) == imported
        assert (await audit_log.list(AuditQuery())).entries == ()

    @proves(
        "ConnectionChangedError: The stored version differs from `connection.version`; nothing is stored.",
        "ConnectionChangedError: The stored version differs from `version`; nothing is deleted.",
    )
    async def test_outdated_connection_is_not_saved_or_deleted(
        self, connections: ChannelConnections, instance: Instance
    ) -> None:
        added = await connections.add(_connect(instance))
        saved = await connections.save(added)
        with pytest.raises(ConnectionChangedError):
            await connections.save(replace(added, account_name="late"))
        with pytest.raises(ConnectionChangedError):
            await connections.delete(added.id, version=added.version)
        assert await connections.get(added.id) == saved

    @proves("Of several concurrent calls, exactly one succeeds.")
    async def test_exactly_one_of_concurrent_saves_succeeds(
        self, connections: ChannelConnections, instance: Instance
    ) -> None:
        added = await connections.add(_connect(instance))
        calls = [connections.save(replace(added, account_name=str(number))) for number in range(4)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(result, ConnectionChangedError) for result in results) == 3

    @proves(
        "UnknownConnectionError: The connection no longer exists.",
        "UnknownConnectionError: The connection doesn't exist.",
    )
    @proves("Deletes the connection.")
    async def test_deleted_connection_is_gone(self, connections: ChannelConnections, instance: Instance) -> None:
        added = await connections.add(_connect(instance))
        await connections.delete(added.id, version=1)
        assert await connections.list() == ()
        for call in (connections.save(added), connections.delete(added.id)):
            with pytest.raises(UnknownConnectionError):
                await call
        await connections.add(added)

    @proves("Records a problem of the connection, or its end if there is no reason; the version stays.")
    async def test_problem_lasts_until_its_end(self, connections: ChannelConnections, instance: Instance) -> None:
        added = await connections.add(_connect(instance))
        await connections.set_problem(added.id, _PROBLEM.kind, _PROBLEM.reason, at=_PROBLEM.since)
        assert await connections.get(added.id) == replace(added, problems=(_PROBLEM,))
        assert await connections.list() == (replace(added, problems=(_PROBLEM,)),)
        assert (await connections.save(added)).problems == (_PROBLEM,)
        await connections.set_problem(added.id, _PROBLEM.kind, None, at=_PROBLEM.since)
        stored = await connections.get(added.id)
        assert stored is not None
        assert (stored.problems, stored.version) == ((), 2)

    @proves(
        "A problem of a kind that is recorded already gets the new reason and keeps its beginning.",
        "Other kinds stay.",
        "Problems are listed in the order of ProblemKind.",
    )
    async def test_problems_of_each_kind_keep_their_beginning(
        self, connections: ChannelConnections, instance: Instance
    ) -> None:
        added = await connections.add(_connect(instance))
        later = _PROBLEM.since + timedelta(minutes=1)
        await connections.set_problem(added.id, ProblemKind.POLLED_ELSEWHERE, "another", at=later)
        for at, reason in ((_PROBLEM.since, "first"), (later, _PROBLEM.reason)):
            await connections.set_problem(added.id, _PROBLEM.kind, reason, at=at)
        polled = ChannelProblem(kind=ProblemKind.POLLED_ELSEWHERE, since=later, reason="another")
        stored = await connections.get(added.id)
        assert stored is not None
        assert stored.problems == (_PROBLEM, polled)
        await connections.set_problem(added.id, _PROBLEM.kind, None, at=later)
        assert (await connections.list())[0].problems == (polled,)

    @proves("Other kinds stay.")
    async def test_concurrent_problems_are_all_recorded(
        self, connections: ChannelConnections, instance: Instance
    ) -> None:
        added = await connections.add(_connect(instance))
        calls = [connections.set_problem(added.id, kind, kind, at=_PROBLEM.since) for kind in ProblemKind]
        await asyncio.gather(*calls)
        stored = await connections.get(added.id)
        assert stored is not None
        assert [problem.kind for problem in stored.problems] == [*ProblemKind]

    @proves("An unknown connection is no error.")
    async def test_problem_of_an_unknown_connection_is_dropped(self, connections: ChannelConnections) -> None:
        await connections.set_problem(_UNKNOWN, _PROBLEM.kind, "x", at=_PROBLEM.since)
        assert await connections.list() == ()

    @proves("When the change is refused, neither is stored.")
    @proves(
        "An `audit` entry is stored in the same transaction as the change it describes, and the AuditLog"
        " of the same store lists it.",
    )
    async def test_changes_are_stored_with_their_audit_entries(
        self, connections: ChannelConnections, instance: Instance, other: Instance, audit_log: AuditLog
    ) -> None:
        entries = [entry_of(action=f"channel.{action}") for action in ("connect", "update", "disconnect")]
        added = await connections.add(_connect(instance), audit=entries[0])
        await connections.save(added, audit=entries[1])
        refused = entry_of(action="channel.refused")
        for call in (
            connections.add(_connect(other), audit=refused),
            connections.save(added, audit=refused),
            connections.delete(added.id, version=1, audit=refused),
            connections.delete(_UNKNOWN, audit=refused),
            connections.add(connection_of(), audit=refused),
        ):
            with pytest.raises(
                (ConnectionExistsError, ConnectionChangedError, UnknownConnectionError, UnknownInstanceError)
            ):
                await call
        await connections.delete(added.id, audit=entries[2])
        found = (await audit_log.list(AuditQuery())).entries
        assert sorted(entry.action for entry in found) == sorted(entry.action for entry in entries)


class ChannelConnectionsOutageContract(Contract):
    """The additional tests for a ChannelConnections whose store can fail.

    Subclasses provide one with an unavailable store.
    """

    @pytest.fixture
    def unavailable(self) -> ChannelConnections:
        raise NotImplementedError("return a ChannelConnections whose store is unavailable")

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    @pytest.mark.parametrize(
        "operation",
        [
            lambda connections: connections.get(_UNKNOWN),
            lambda connections: connections.list(),
            lambda connections: connections.add(connection_of()),
            lambda connections: connections.save(connection_of()),
            lambda connections: connections.delete(_UNKNOWN),
            lambda connections: connections.set_problem(_UNKNOWN, _PROBLEM.kind, None, at=_PROBLEM.since),
        ],
        ids=["get", "list", "add", "save", "delete", "set_problem"],
    )
    async def test_each_method_reports_unavailable_store(
        self, unavailable: ChannelConnections, operation: Callable[[ChannelConnections], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await operation(unavailable)
