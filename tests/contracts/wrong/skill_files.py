"""Readers of skill files that each break one promise, and repositories that keep them wrongly."""

import posixpath
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.instance_history import MemoryInstanceHistory
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.instance_states import InstanceState
from polyant.domain.instances import Instance, InstanceId, Slug
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.skills import SkillFile, SkillFileSummary
from polyant.testing.skill_files import SkillFilesContract
from support.stores import InMemory

FilesOfInstances = dict[InstanceId, dict[tuple[str, str], StoredSkillFile]]
"""The files by their instance, and by digest and path."""


class MemoryContract(InMemory, SkillFilesContract):
    made: type[MemorySkillFiles] = MemorySkillFiles
    repo: type[MemoryInstanceRepo] = MemoryInstanceRepo
    past: type[MemoryInstanceHistory] = MemoryInstanceHistory

    @pytest.fixture
    def skill_files(self, memory: MemoryStore) -> MemorySkillFiles:
        return self.made(memory=memory)

    @pytest.fixture
    def instance_repo(self, memory: MemoryStore) -> MemoryInstanceRepo:
        return self.repo(memory=memory)

    @pytest.fixture
    def history(self, memory: MemoryStore) -> MemoryInstanceHistory:
        return self.past(memory=memory)


class ForgetsInstance(MemorySkillFiles):
    """Finds files by the digest alone."""

    async def read_all(self, instance: InstanceId, digest: str) -> Sequence[SkillFile]:
        for each in self._memory.skill_files:
            found = await super().read_all(each, digest)
            if found:
                return found
        return []


class TestInstanceForgotten(MemoryContract):
    made = ForgetsInstance


class ForgetsDigest(MemorySkillFiles):
    """Finds a file by its path alone."""

    async def get(self, instance: InstanceId, digest: str, path: str) -> SkillFile | None:
        files = self._memory.skill_files.get(instance, {}).values()
        found = [SkillFile(path=file.path, content=file.content) for file in files if file.path == path]
        return found[-1] if found and digest.strip("0") else None


class TestDigestForgotten(MemoryContract):
    made = ForgetsDigest


class _FindsPaths(MemorySkillFiles):
    """Finds paths that are equal in another way."""

    async def get(self, instance: InstanceId, digest: str, path: str) -> SkillFile | None:
        files = await self.read_all(instance, digest)
        return next((file for file in files if self.key(file.path) == self.key(path)), None)

    def key(self, path: str) -> str:
        raise NotImplementedError


class NormalisesPaths(_FindsPaths):
    """Resolves the parts of a path."""

    def key(self, path: str) -> str:
        return posixpath.normpath(path)


class TestPathsNormalised(MemoryContract):
    made = NormalisesPaths


class FoldsPaths(_FindsPaths):
    """Compares paths without regard to case."""

    def key(self, path: str) -> str:
        return path.casefold()


class TestPathsFolded(MemoryContract):
    made = FoldsPaths


class StripsPaths(_FindsPaths):
    """Ignores blanks at the end, as some databases compare."""

    def key(self, path: str) -> str:
        return path.rstrip(" ")


class TestPathsStripped(MemoryContract):
    made = StripsPaths


class ComposesPaths(_FindsPaths):
    """Compares composed characters."""

    def key(self, path: str) -> str:
        return unicodedata.normalize("NFC", path)


class TestPathsComposed(MemoryContract):
    made = ComposesPaths


class SortsIgnoringCase(MemorySkillFiles):
    """Orders paths as people do."""

    async def read_all(self, instance: InstanceId, digest: str) -> Sequence[SkillFile]:
        return sorted(await super().read_all(instance, digest), key=lambda file: file.path.casefold())


class TestOrderIgnoresCase(MemoryContract):
    made = SortsIgnoringCase


class CountsCharacters(MemorySkillFiles):
    """Lists sizes in characters."""

    async def list(self, instance: InstanceId, digest: str) -> Sequence[SkillFileSummary]:
        contents = {file.path: file.content for file in await self.read_all(instance, digest)}
        return [replace(each, size=len(contents[each.path])) for each in await super().list(instance, digest)]


class TestSizeInCharacters(MemoryContract):
    made = CountsCharacters


class ScriptsBySuffix(MemorySkillFiles):
    """Recognises scripts by their suffix alone."""

    async def list(self, instance: InstanceId, digest: str) -> Sequence[SkillFileSummary]:
        listed = await super().list(instance, digest)
        return [replace(each, is_script=each.is_script and PurePosixPath(each.path).suffix != "") for each in listed]


class TestScriptsBySuffix(MemoryContract):
    made = ScriptsBySuffix


class ListsPage(MemorySkillFiles):
    """Lists at most a hundred files."""

    async def list(self, instance: InstanceId, digest: str) -> Sequence[SkillFileSummary]:
        return (await super().list(instance, digest))[:100]


class TestPageListed(MemoryContract):
    made = ListsPage


class CachesForever(MemorySkillFiles):
    """Keeps what it has read, because files never change."""

    def __init__(self, *, memory: MemoryStore | None = None) -> None:
        super().__init__(memory=memory)
        self._read: dict[tuple[InstanceId, str], Sequence[SkillFile]] = {}

    async def read_all(self, instance: InstanceId, digest: str) -> Sequence[SkillFile]:
        found = self._read.get((instance, digest)) or await super().read_all(instance, digest)
        self._read[instance, digest] = found
        return found


class TestDeletedFilesCached(MemoryContract):
    made = CachesForever


class _ChangesFiles(MemoryInstanceRepo):
    """Stores files in another form."""

    async def add(
        self, instance: Instance, *, audit: AuditEntry | None = None, skill_files: Sequence[StoredSkillFile] = ()
    ) -> Instance:
        return await super().add(instance, audit=audit, skill_files=[*map(self.changed, skill_files)])

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        changed = [*map(self.changed, skill_files)]
        return await super().save(instance, audit=audit, replaced=replaced, skill_files=changed)

    def changed(self, file: StoredSkillFile) -> StoredSkillFile:
        raise NotImplementedError


class TruncatesContent(_ChangesFiles):
    """Has a column for at most 65,535 bytes."""

    def changed(self, file: StoredSkillFile) -> StoredSkillFile:
        return replace(file, content=file.content.encode()[:65_535].decode(errors="ignore"))


class TestContentTruncated(MemoryContract):
    repo = TruncatesContent


class TruncatesPaths(_ChangesFiles):
    """Has a column for at most 191 characters."""

    def changed(self, file: StoredSkillFile) -> StoredSkillFile:
        return replace(file, path=file.path[:191])


class TestPathsTruncated(MemoryContract):
    repo = TruncatesPaths


class ChangesLineEnds(_ChangesFiles):
    """Stores lines, and loses how they end."""

    def changed(self, file: StoredSkillFile) -> StoredSkillFile:
        return replace(file, content=file.content.replace("\r\n", "\n"))


class TestLineEndsChanged(MemoryContract):
    repo = ChangesLineEnds


class _WrongSave(MemoryInstanceRepo):
    """Keeps files wrongly after a save."""

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        before = {key: dict(files) for key, files in self._memory.skill_files.items()}
        saved = await super().save(instance, audit=audit, replaced=replaced, skill_files=skill_files)
        self.keep(saved, skill_files, before)
        return saved

    def keep(self, saved: Instance, given: Sequence[StoredSkillFile], before: FilesOfInstances) -> None:
        raise NotImplementedError


class Overwrites(_WrongSave):
    """Stores given files with an upsert."""

    def keep(self, saved: Instance, given: Sequence[StoredSkillFile], before: FilesOfInstances) -> None:
        files = self._memory.skill_files.get(saved.id, {})
        files |= {(each.digest, each.path): each for each in given if (each.digest, each.path) in files}


class TestFilesOverwritten(MemoryContract):
    repo = Overwrites


class OnePathEach(_WrongSave):
    """Has a key of instance and path, so that the last skill's files replace the others'."""

    def keep(self, saved: Instance, given: Sequence[StoredSkillFile], before: FilesOfInstances) -> None:
        files, contents = self._memory.skill_files.get(saved.id, {}), {each.path: each.content for each in given}
        files |= {key: replace(each, content=contents.get(each.path, each.content)) for key, each in files.items()}


class TestPathsShared(MemoryContract):
    repo = OnePathEach


class NeverDrops(_WrongSave):
    """Leaves the files of replaced skills."""

    def keep(self, saved: Instance, given: Sequence[StoredSkillFile], before: FilesOfInstances) -> None:
        self._memory.skill_files[saved.id] = before.get(saved.id, {}) | self._memory.skill_files.get(saved.id, {})


class TestReplacedFilesLeft(MemoryContract):
    repo = NeverDrops


class ForgetsHistory(_WrongSave):
    """Drops the files that only a state in the history has."""

    def keep(self, saved: Instance, given: Sequence[StoredSkillFile], before: FilesOfInstances) -> None:
        used, files = {skill.digest for skill in saved.skills}, self._memory.skill_files.get(saved.id, {})
        self._memory.skill_files[saved.id] = {key: each for key, each in files.items() if each.digest in used}


class TestFilesOfHistoryDropped(MemoryContract):
    repo = ForgetsHistory


class DropsEverywhere(_WrongSave):
    """Drops the files with unused digests of all instances."""

    def keep(self, saved: Instance, given: Sequence[StoredSkillFile], before: FilesOfInstances) -> None:
        kept = {digest for digest, _ in self._memory.skill_files.get(saved.id, {})}
        dropped = {digest for digest, _ in before.get(saved.id, {})} - kept
        for instance, files in self._memory.skill_files.items():
            self._memory.skill_files[instance] = {
                key: each for key, each in files.items() if each.digest not in dropped
            }


class TestFilesOfOthersDropped(MemoryContract):
    repo = DropsEverywhere


class DeletesCurrentFiles(MemoryInstanceRepo):
    """Deletes the files of the current skills with an instance, and not those of its history."""

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        stored = self._instances.get(slug)
        files = {} if stored is None else dict(self._memory.skill_files.get(stored.id, {}))
        await super().delete(slug, version=version, audit=audit)
        if stored is not None:
            used = {skill.digest for skill in stored.skills}
            self._memory.skill_files[stored.id] = {key: each for key, each in files.items() if each.digest not in used}


class TestFilesOfHistoryLeft(MemoryContract):
    repo = DeletesCurrentFiles


class DeletesFilesFirst(MemoryInstanceRepo):
    """Deletes the files before it knows whether the instance can be deleted."""

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        stored = self._instances.get(slug)
        if stored is not None:
            self._memory.skill_files.pop(stored.id, None)
        await super().delete(slug, version=version, audit=audit)


class TestFilesOfRefusedDeletion(MemoryContract):
    repo = DeletesFilesFirst


class DeletesByDigest(MemoryInstanceRepo):
    """Deletes the files of an instance's skills in all instances."""

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        stored = self._instances.get(slug)
        await super().delete(slug, version=version, audit=audit)
        used = set() if stored is None else {skill.digest for skill in stored.skills}
        for instance, files in self._memory.skill_files.items():
            self._memory.skill_files[instance] = {key: each for key, each in files.items() if each.digest not in used}


class TestFilesOfOthersDeleted(MemoryContract):
    repo = DeletesByDigest


class KeepsFilesOfState(MemoryInstanceHistory):
    """Leaves the files of a deleted state."""

    async def delete(self, instance: InstanceId, number: int, *, audit: AuditEntry | None = None) -> None:
        files = dict(self._memory.skill_files.get(instance, {}))
        await super().delete(instance, number, audit=audit)
        self._memory.skill_files[instance] = files


class TestFilesOfStateLeft(MemoryContract):
    past = KeepsFilesOfState
