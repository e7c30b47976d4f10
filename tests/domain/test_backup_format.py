from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from polyant.domain.backup_format import BackupHead, decode_backup, encode_backup, summary_of
from polyant.domain.backup_records import AuditRecord, BackupRecord, UserRecord
from polyant.domain.backups import BackupSummary, DamagedBackupError, NewerBackupError, UnusableBackupError
from polyant.testing.audit_log import entry_of
from polyant.testing.backup_cipher import pieces_of
from polyant.testing.factories import UserFactory

AT = datetime(2026, 11, 26, tzinfo=UTC)
RECORDS: list[BackupRecord] = [
    UserRecord(**msgspec.structs.asdict(UserFactory.build(version=1))),
    *(AuditRecord(**msgspec.structs.asdict(entry_of(details=("x" * 1_000,)))) for _ in range(200)),
]


async def iterate(records: Iterable[BackupRecord]) -> AsyncIterator[BackupRecord]:
    for record in records:
        yield record


async def content_of(records: Iterable[BackupRecord]) -> bytes:
    return b"".join([piece async for piece in encode_backup(iterate(records), created_at=AT, counts=Counter())])


async def parts_of(content: bytes, *, size: int = 1_000) -> list[BackupHead | BackupRecord]:
    return [part async for part in decode_backup(pieces_of(content, size), counts=Counter())]


def lines_of(content: bytes) -> list[Any]:
    return [msgspec.json.decode(line) for line in content.splitlines()]


def content_with(lines: list[Any]) -> bytes:
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


@pytest.mark.parametrize("size", [1, 100, 1_000_000])
async def test_records_are_decoded_from_pieces_of_any_size(size: int) -> None:
    head, *records = await parts_of(await content_of(RECORDS), size=size)
    assert isinstance(head, BackupHead)
    assert head.created_at == AT
    assert records == RECORDS


async def test_both_directions_count_the_records() -> None:
    written, read = Counter[str](), Counter[str]()
    content = b"".join([piece async for piece in encode_backup(iterate(RECORDS), created_at=AT, counts=written)])
    assert [part async for part in decode_backup(pieces_of(content, 1_000), counts=read)]
    assert written == read
    assert summary_of(read, created_at=AT) == BackupSummary(created_at=AT, users=1, audit_entries=200)


async def test_content_is_written_in_pieces() -> None:
    pieces = [piece async for piece in encode_backup(iterate(RECORDS), created_at=AT, counts=Counter())]
    assert len(pieces) > 2
    assert max(map(len, pieces)) < 100_000


async def test_content_is_lines_of_json_with_their_sections() -> None:
    lines = lines_of(await content_of(RECORDS))
    assert lines[0] == {
        "format": "polyant.backup/1",
        "createdAt": "2026-11-26T00:00:00Z",
        "sections": [
            "instances/1",
            "skill_files/1",
            "channels/1",
            "data_keys/1",
            "conversations/1",
            "messages/1",
            "users/1",
            "audit/1",
            "media/1",
        ],
    }
    assert [line["section"] for line in lines[1:3]] == ["users/1", "audit/1"]
    records = {
        "instances/1": 0,
        "skill_files/1": 0,
        "channels/1": 0,
        "data_keys/1": 0,
        "conversations/1": 0,
        "messages/1": 0,
        "users/1": 1,
        "audit/1": 200,
        "media/1": 0,
    }
    assert lines[-1] == {"section": "end", "records": records}


@pytest.mark.parametrize(
    "change, known",
    [
        ({"format": "polyant.backup/2"}, "the format polyant.backup/2"),
        ({"sections": ["instances/1", "dreams/1"]}, "the section dreams/1"),
        ({"sections": ["instances/2"]}, "the section instances/2"),
    ],
)
async def test_newer_head_is_refused(change: dict[str, Any], known: str) -> None:
    head, *rest = lines_of(await content_of(RECORDS))
    with pytest.raises(NewerBackupError, match=known):
        await parts_of(content_with([{**head, **change}, *rest]))


@pytest.mark.parametrize(
    "change, known",
    [
        ({"section": "conversations/1"}, "the section conversations/1"),
        ({"section": "users/2"}, "the section users/2"),
        ({"favourite": "blue"}, "fields in the section users/1"),
        ({"role": "owner"}, "fields in the section users/1"),
    ],
)
async def test_newer_record_is_refused(change: dict[str, Any], known: str) -> None:
    head, user, *rest = lines_of(await content_of(RECORDS))
    with pytest.raises(NewerBackupError, match=known):
        await parts_of(content_with([head, {**user, **change}, *rest]))


async def test_fields_that_a_later_version_adds_to_the_head_are_ignored() -> None:
    head, *rest = lines_of(await content_of(RECORDS))
    assert (await parts_of(content_with([{**head, "host": "a"}, *rest])))[1:] == RECORDS


async def test_sections_that_an_earlier_version_did_not_have_may_be_missing() -> None:
    head, user, *_ = lines_of(await content_of(RECORDS))
    end = {"section": "end", "records": {"users/1": 1}}
    assert (await parts_of(content_with([{**head, "sections": ["users/1"]}, user, end])))[1:] == RECORDS[:1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: b"\n" + content,
        lambda content: b"[]\n" + content,
        lambda content: b"\xff\n" + content,
        lambda content: content[:-1],
        lambda content: content[: content.rindex(b"\n", 0, -1) + 1],
        lambda content: content + b"{}\n",
        lambda content: content + b"x",
        lambda content: content.replace(b'"audit/1":200', b'"audit/1":199'),
        lambda content: content.replace(b"\n", b"\n\n", 1),
        lambda content: content.replace(b"\n", b"\n[]\n", 1),
        lambda content: content.replace(b"\n", b"\n" + b"[" * 100_000 + b"\n", 1),
    ],
)
async def test_incomplete_content_is_refused(damage: Any) -> None:
    with pytest.raises(DamagedBackupError):
        await parts_of(damage(await content_of(RECORDS)))


async def test_content_cut_anywhere_is_refused() -> None:
    content = await content_of(RECORDS[:3])
    for length in range(0, len(content), 7):
        with pytest.raises(UnusableBackupError):
            await parts_of(content[:length])
