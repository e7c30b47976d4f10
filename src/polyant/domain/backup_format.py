"""The content of a backup: a line of JSON that describes it, a line for each record, and a line with their numbers."""

from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from datetime import datetime

import msgspec

from polyant.domain.backup_records import SECTIONS, BackupRecord
from polyant.domain.backups import BackupSummary, DamagedBackupError, NewerBackupError

_FORMAT = "polyant.backup/1"
_BUFFER_BYTES = 64 * 1024


class BackupHead(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The first line; later versions may add fields."""

    format: str
    created_at: datetime
    sections: tuple[str, ...] = ()


class BackupEnd(msgspec.Struct, frozen=True, kw_only=True, tag_field="section", tag="end"):
    """The last line: the number of records in each section."""

    records: Mapping[str, int]


class _AnyRecord(msgspec.Struct, frozen=True):
    """The field that all records have."""

    section: str


_record_decoder: msgspec.json.Decoder[BackupRecord | BackupEnd] = msgspec.json.Decoder(BackupRecord | BackupEnd)
_section_decoder = msgspec.json.Decoder(_AnyRecord)


async def encode_backup(
    records: AsyncIterable[BackupRecord], *, created_at: datetime, counts: Counter[str]
) -> AsyncIterator[bytes]:
    """Yields the content of a backup in pieces.

    Args:
        records: The records, in the order of their sections.
        created_at: The time of the backup.
        counts: An empty counter, which gets the numbers of records by section.
    """
    encoder, buffer = msgspec.json.Encoder(), bytearray()
    head = BackupHead(format=_FORMAT, created_at=created_at, sections=tuple(SECTIONS))
    buffer += encoder.encode(head) + b"\n"
    async for record in records:
        counts[_section_of(record)] += 1
        buffer += encoder.encode(record) + b"\n"
        if len(buffer) >= _BUFFER_BYTES:
            yield bytes(buffer)
            buffer.clear()
    buffer += encoder.encode(BackupEnd(records={section: counts[section] for section in SECTIONS})) + b"\n"
    yield bytes(buffer)


async def decode_backup(
    pieces: AsyncIterable[bytes], *, counts: Counter[str]
) -> AsyncIterator[BackupHead | BackupRecord]:
    """Yields the head and then the records of a backup.

    Args:
        pieces: The content, which must be authentic.
        counts: An empty counter, which gets the numbers of records by section.

    Raises:
        NewerBackupError: The backup contains something that this version doesn't know.
        DamagedBackupError: The content isn't a complete backup.
    """
    lines = _lines(pieces)
    head = _decode_head(await anext(lines, b""))
    yield head
    async for line in lines:
        record = _decode_record(line)
        if isinstance(record, BackupEnd):
            await _check_end(record, counts, lines)
            return
        counts[_section_of(record)] += 1
        yield record
    raise DamagedBackupError


def summary_of(counts: Counter[str], *, created_at: datetime) -> BackupSummary:
    """Returns the summary of a backup with those numbers of records by section."""
    return BackupSummary(
        created_at=created_at,
        instances=counts["instances/1"],
        channels=counts["channels/1"],
        conversations=counts["conversations/1"],
        messages=counts["messages/1"],
        skill_files=counts["skill_files/1"],
        users=counts["users/1"],
        audit_entries=counts["audit/1"],
        media=counts["media/1"],
    )


def _decode_head(line: bytes) -> BackupHead:
    try:
        head = msgspec.json.decode(line, type=BackupHead)
    except (msgspec.DecodeError, UnicodeError):
        raise DamagedBackupError from None
    if head.format != _FORMAT:
        raise NewerBackupError(f"the format {head.format}")
    for section in head.sections:
        if section not in SECTIONS:
            raise NewerBackupError(f"the section {section}")
    return head


def _decode_record(line: bytes) -> BackupRecord | BackupEnd:
    try:
        return _record_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        section = _section_decoder.decode(line).section
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise DamagedBackupError from None
    # The content is authentic, so a newer version wrote what this one doesn't know.
    raise NewerBackupError(f"fields in the section {section}" if section in SECTIONS else f"the section {section}")


async def _check_end(end: BackupEnd, counts: Counter[str], lines: AsyncIterator[bytes]) -> None:
    if any(counts[section] != end.records.get(section, 0) for section in {*counts, *end.records}):
        raise DamagedBackupError
    if await anext(lines, None) is not None:
        raise DamagedBackupError


async def _lines(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yields the lines without their ends.

    Raises:
        DamagedBackupError: The last line has no end.
    """
    buffer = bytearray()
    async for piece in pieces:
        *ends, rest = piece.split(b"\n")
        for end in ends:
            yield bytes(buffer + end)
            buffer.clear()
        buffer += rest
    if buffer:
        raise DamagedBackupError


def _section_of(record: BackupRecord) -> str:
    return str(record.__struct_config__.tag)
