"""The contract of the port AuditLog."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from polyant.domain.audit import AuditEntry, AuditPage, AuditQuery
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instances import Slug
from polyant.domain.ports.audit_log import AuditLog
from polyant.testing.contract import Contract, proves

_NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
_MOMENT = timedelta(microseconds=1)
_MANY = 120


def entry_of(**fields: Any) -> AuditEntry:
    """Returns an entry with those fields."""
    return AuditEntry(**{"at": _NOON, "actor": "cli", "action": "instance.update", **fields})


class AuditLogContract(Contract):
    """The tests that every AuditLog must pass; subclasses provide an empty one."""

    @pytest.fixture
    def audit_log(self) -> AuditLog:
        raise NotImplementedError("return an empty AuditLog")

    def test_implements_the_port(self, audit_log: AuditLog) -> None:
        assert isinstance(audit_log, AuditLog)

    async def test_list_is_empty_initially(self, audit_log: AuditLog) -> None:
        assert await audit_log.list(AuditQuery()) == AuditPage((), 0)

    @proves("Stores an entry that isn't about an instance or a user, such as the rotation of the master key.")
    @pytest.mark.parametrize(
        "entry",
        [
            entry_of(),
            entry_of(instance=Slug("bot"), user="bob@example.com", details=("name", 'a "b" {}', "é🙂")),
            entry_of(details=("", "a,b", " c ", "d;\ne", "name", "name")),
            entry_of(at=_NOON + timedelta(microseconds=999_999), actor="é'\"%_" * 100, action="x" * 100),
        ],
    )
    async def test_list_returns_entries_unchanged(self, audit_log: AuditLog, entry: AuditEntry) -> None:
        await audit_log.add(entry)
        assert await audit_log.list(AuditQuery()) == AuditPage((entry,), 1)

    @proves(
        "Returns the entries that match the query, newest first.",
        "Entries of the same moment are ordered by storage, the latest first.",
    )
    async def test_list_orders_newest_first_then_by_storage_order(self, audit_log: AuditLog) -> None:
        entries = [entry_of(details=(str(number),)) for number in range(3)]
        younger, older = entry_of(at=_NOON + _MOMENT), entry_of(at=_NOON - _MOMENT)
        for entry in (younger, *entries, older):
            await audit_log.add(entry)
        assert await listed(audit_log) == [younger, *reversed(entries), older]

    @proves("Each entry is kept without an end, also if it equals another one.")
    async def test_equal_entries_are_all_kept(self, audit_log: AuditLog) -> None:
        for _ in range(3):
            await audit_log.add(entry_of(details=("name",)))
        assert await audit_log.list(AuditQuery()) == AuditPage((entry_of(details=("name",)),) * 3, 3)

    @proves("Each entry is kept without an end, also if it equals another one.")
    async def test_old_entries_are_kept(self, audit_log: AuditLog) -> None:
        entries = [entry_of(at=_NOON - timedelta(days=365 * years)) for years in (20, 2, 0)]
        for entry in entries:
            await audit_log.add(entry)
        assert await listed(audit_log) == entries[::-1]

    @proves(
        "Each entry is kept without an end, also if it equals another one.",
        "`limit` and `offset` select the page; `total` ignores them.",
    )
    async def test_pages_have_each_of_many_entries_once(self, audit_log: AuditLog) -> None:
        """Entries of the same moment have a place of their own, too."""
        for number in range(_MANY):
            await audit_log.add(entry_of(at=_NOON + _MOMENT * (number // 40), details=(str(number),)))
        pages = [await audit_log.list(AuditQuery(limit=30, offset=offset)) for offset in range(0, _MANY, 30)]
        assert {page.total for page in pages} == {_MANY}
        assert [int(entry.details[0]) for page in pages for entry in page.entries] == [*range(_MANY)][::-1]

    @proves("Concurrent calls all succeed.")
    async def test_concurrent_entries_are_all_kept(self, audit_log: AuditLog) -> None:
        await asyncio.gather(*(audit_log.add(entry_of(details=(str(number),))) for number in range(20)))
        assert {int(entry.details[0]) for entry in await listed(audit_log)} == {*range(20)}

    async def test_list_by_instance(self, audit_log: AuditLog) -> None:
        entries = [entry_of(instance=slug) for slug in (Slug("bot"), Slug("bot-2"), None)]
        for entry in entries:
            await audit_log.add(entry)
        assert await listed(audit_log, instance=Slug("bot")) == [entries[0]]
        assert await listed(audit_log, instance=Slug("nobody")) == []

    async def test_list_by_user_matches_author_and_affected_user(self, audit_log: AuditLog) -> None:
        as_author, as_affected = entry_of(actor="ann@x.y"), entry_of(user="ann@x.y")
        for entry in (as_author, as_affected, entry_of(actor="bob@x.y", user="xann@x.y")):
            await audit_log.add(entry)
        assert await listed(audit_log, user="ann@x.y") == [as_affected, as_author]
        assert await listed(audit_log, user="nobody@x.y") == []

    @pytest.mark.parametrize(
        ("action", "found"),
        [
            ("secret", ["secret", "secret.set", "secret.set.all"]),
            ("secret.set", ["secret.set", "secret.set.all"]),
            ("secrets", ["secrets.set"]),
            ("secret.", []),
            ("sec", []),
            ("SECRET", []),
            ("secret_set", []),
            ("%", []),
            ("", []),
        ],
    )
    async def test_list_by_action_matches_full_action_or_dotted_prefix(
        self, audit_log: AuditLog, action: str, found: list[str]
    ) -> None:
        for stored in ("secret", "secret.set", "secret.set.all", "secrets.set", "instance.create"):
            await audit_log.add(entry_of(action=stored))
        assert [entry.action for entry in reversed(await listed(audit_log, action=action))] == found

    @proves("Text is compared literally, including special characters.")
    @pytest.mark.parametrize("text", ["%", "_", "!", "\\", "'", '"', "{}", "$1"])
    async def test_special_characters_are_matched_literally(self, audit_log: AuditLog, text: str) -> None:
        special = entry_of(actor=f"a{text}", action=f"a{text}.b")
        for entry in (special, entry_of(actor="ab", action="ab.b")):
            await audit_log.add(entry)
        assert await listed(audit_log, user=f"a{text}") == [special]
        assert await listed(audit_log, action=f"a{text}") == [special]

    @proves("Text is compared literally, including special characters.")
    async def test_texts_that_differ_little_are_told_apart(self, audit_log: AuditLog) -> None:
        entries = [entry_of(actor="ann@x.y"), entry_of(instance=Slug("bot"), user="ann@x.y")]
        for entry in entries:
            await audit_log.add(entry)
        assert await listed(audit_log, user="ann@x.y") == entries[::-1]
        for user in ("ANN@x.y", "ann@x.y ", " ann@x.y", "ann@x.yz", "ann@x", "añn@x.y", ""):
            assert await listed(audit_log, user=user) == []
        for slug in ("BOT", "bo", "bot ", ""):
            assert await listed(audit_log, instance=Slug(slug)) == []

    @pytest.mark.parametrize("query", [AuditQuery(user="\0"), AuditQuery(action="\0")], ids=["user", "action"])
    async def test_condition_with_nul_character_matches_nothing(self, audit_log: AuditLog, query: AuditQuery) -> None:
        await audit_log.add(entry_of())
        assert await audit_log.list(query) == AuditPage((), 0)

    @proves("`since` is inclusive, `until` is exclusive.")
    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-7))])
    async def test_list_by_time_includes_since_and_excludes_until(self, audit_log: AuditLog, zone: timezone) -> None:
        """The time zone of `since` and `until` doesn't matter."""
        before, begin, middle, end = [
            entry_of(at=_NOON + timedelta(microseconds=moment)) for moment in (-1, 0, 999_999, 1_000_000)
        ]
        for entry in (before, begin, middle, end):
            await audit_log.add(entry)
        since, until = begin.at.astimezone(zone), end.at.astimezone(zone)
        assert await listed(audit_log, since=since, until=until) == [middle, begin]
        assert await listed(audit_log, since=since) == [end, middle, begin]
        assert await listed(audit_log, until=until) == [middle, begin, before]

    @proves("Returns the entries that match the query, newest first.")
    async def test_list_requires_all_conditions(self, audit_log: AuditLog) -> None:
        wanted: dict[str, Any] = {"instance": Slug("bot"), "actor": "ann@x.y", "action": "secret.set"}
        others: list[dict[str, Any]] = [
            {"instance": Slug("other")},
            {"actor": "bob@x.y"},
            {"action": "key.issue"},
            {"at": _NOON - _MOMENT},
        ]
        for fields in ({}, *others):
            await audit_log.add(entry_of(**{**wanted, **fields}))
        found = await listed(audit_log, instance=Slug("bot"), user="ann@x.y", action="secret", since=_NOON)
        assert found == [entry_of(**wanted)]

    @proves("`limit` and `offset` select the page; `total` ignores them.")
    @pytest.mark.parametrize(
        ("limit", "offset", "numbers"), [(2, 0, [4, 3]), (2, 3, [1, 0]), (2, 4, [0]), (5, 5, []), (0, 0, [])]
    )
    async def test_limit_and_offset_affect_page_but_not_total(
        self, audit_log: AuditLog, limit: int, offset: int, numbers: list[int]
    ) -> None:
        for number in range(5):
            await audit_log.add(entry_of(instance=Slug("bot"), details=(str(number),)))
        await audit_log.add(entry_of())
        page = await audit_log.list(AuditQuery(instance=Slug("bot"), limit=limit, offset=offset))
        assert [int(entry.details[0]) for entry in page.entries] == numbers
        assert page.total == 5


class AuditLogOutageContract(Contract):
    """The additional tests for an AuditLog whose store can fail; subclasses provide one with an unavailable store."""

    @pytest.fixture
    def unavailable(self) -> AuditLog:
        raise NotImplementedError("return an AuditLog whose store is unavailable")

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    @pytest.mark.parametrize(
        "operation", [lambda log: log.add(entry_of()), lambda log: log.list(AuditQuery())], ids=["add", "list"]
    )
    async def test_each_method_reports_unavailable_store(
        self, unavailable: AuditLog, operation: Callable[[AuditLog], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await operation(unavailable)


async def listed(audit_log: AuditLog, **conditions: Any) -> list[AuditEntry]:
    """Returns the entries that match the conditions, and asserts that the total agrees."""
    page = await audit_log.list(AuditQuery(**conditions))
    assert page.total == len(page.entries)
    return [*page.entries]
