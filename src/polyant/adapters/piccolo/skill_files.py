"""The files of skills in a table."""

from collections.abc import Iterator, Sequence

import msgspec

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_rows import Row
from polyant.adapters.piccolo.tables import SkillFileRow, SkillRow, StateRow
from polyant.domain.instances import InstanceId
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.skills import SkillFile, SkillFileSummary

_FILES_PER_STATEMENT = 100


class PiccoloSkillFiles(SkillFiles):
    """Keeps the files of skills in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._rows = database.bind(SkillFileRow)
        self._skills = database.bind(SkillRow)
        self._states = database.bind(StateRow)

    async def list(self, instance: InstanceId, digest: str) -> Sequence[SkillFileSummary]:
        return await self._database.read(lambda: self._list(instance, digest))

    async def get(self, instance: InstanceId, digest: str, path: str) -> SkillFile | None:
        if "\0" in path:  # PostgreSQL rejects NUL in parameters
            return None
        return await self._database.read(lambda: self._get(instance, digest, path))

    async def read_all(self, instance: InstanceId, digest: str) -> Sequence[SkillFile]:
        return await self._database.read(lambda: self._read_all(instance, digest))

    async def keep_in_transaction(self, instance: InstanceId, files: Sequence[StoredSkillFile]) -> set[str]:
        """Stores new files and drops unused ones in the caller's transaction; returns the digests with stored files.

        The caller holds the lock of the revision, so no other transaction adds or drops files.
        """
        stored = await self._stored(instance)
        new = [file for file in files if file.digest not in stored]
        for first in range(0, len(new), _FILES_PER_STATEMENT):
            rows = map(skill_file_row_of, new[first : first + _FILES_PER_STATEMENT])
            await self._rows.insert(*(self._rows(**row) for row in rows))
        stored |= {file.digest for file in new}
        return stored - await self._drop_unused(instance, stored)

    async def drop_unused_in_transaction(self, instance: InstanceId) -> None:
        """Drops the files that neither the instance nor its history needs, in the caller's transaction."""
        await self._drop_unused(instance, await self._stored(instance))

    async def _stored(self, instance: InstanceId) -> set[str]:
        rows = self._rows
        found = await rows.select(rows.digest).distinct().where(rows.instance == instance)
        return {row["digest"] for row in found}

    async def _drop_unused(self, instance: InstanceId, stored: set[str]) -> set[str]:
        if not stored:
            return set()
        rows, skills, states = self._rows, self._skills, self._states
        used = {row["digest"] for row in await skills.select(skills.digest).where(skills.instance == instance)}
        for row in await states.select(states.skill_digests).where(states.instance == instance):
            used.update(msgspec.json.decode(row["skill_digests"] or "[]", type=tuple[str, ...]))
        unused = stored - used
        if unused:
            await rows.delete().where(rows.instance == instance, rows.digest.is_in(sorted(unused)))
        return unused

    async def _list(self, instance: InstanceId, digest: str) -> Sequence[SkillFileSummary]:
        rows = self._rows
        found = await rows.select(rows.path, rows.size, rows.is_script).where(
            rows.instance == instance, rows.digest == digest
        )
        return sorted(msgspec.convert(found, list[SkillFileSummary], strict=False), key=lambda file: file.path)

    async def _get(self, instance: InstanceId, digest: str, path: str) -> SkillFile | None:
        rows = self._rows
        found = (
            await rows.select(rows.path, rows.content)
            .where(rows.instance == instance, rows.digest == digest, rows.path == path)
            .first()
        )
        return None if found is None else msgspec.convert(found, SkillFile)

    async def _read_all(self, instance: InstanceId, digest: str) -> Sequence[SkillFile]:
        rows = self._rows
        found = await rows.select(rows.path, rows.content).where(rows.instance == instance, rows.digest == digest)
        return sorted(msgspec.convert(found, list[SkillFile]), key=lambda file: file.path)


def skill_file_row_of(file: StoredSkillFile) -> Row:
    """Returns the row of a file."""
    return msgspec.structs.asdict(file) | {"size": file.size, "is_script": file.is_script}


def skill_files_of(rows: Sequence[Row]) -> Iterator[StoredSkillFile]:
    """Yields the files from rows."""
    yield from msgspec.convert(rows, list[StoredSkillFile])
