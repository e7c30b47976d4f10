"""The contract of the port SkillFiles."""

import unicodedata
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from polyant.domain.errors import (
    InstanceChangedError,
    InstanceExistsError,
    StorageUnavailableError,
    UnknownInstanceError,
)
from polyant.domain.instance_states import MAX_HISTORY_BYTES, InstanceState, replaced_state
from polyant.domain.instances import Instance, InstanceId
from polyant.domain.ports.instance_history import InstanceHistory
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.skill_files import StoredSkillFile, pack_skills
from polyant.domain.skills import (
    INSTRUCTIONS_FILE,
    MAX_SKILL_FILE_BYTES,
    MAX_SKILL_FILES,
    MAX_SKILL_PATH_CHARACTERS,
    Skill,
    SkillContent,
    SkillFile,
    SkillFileSummary,
)
from polyant.testing.contract import Contract, proves
from polyant.testing.factories import InstanceFactory

_NOBODY = InstanceId("0" * 32)
_NO_DIGEST = "0" * 64
_FILES = (
    SkillFile(path="scripts/check.py", content="print('ok')\n"),
    SkillFile(path="notes/Größe und 中.md", content="Ünïcode 🙂\r\n\tand 'quotes\"\\ {} % $1\n"),
    SkillFile(path="Zoo", content=""),
    SkillFile(path="run", content="#!/bin/sh\n"),
)
_UNKNOWN_PATHS = ("", "nothing", "scripts", "zoo", "Zoo ", "Zoo/", "./Zoo", "../Zoo", "Zo_", "%", "a\0b")


def content_of_skill(name: str = "returns", *, instructions: str = "# Returns\n\nAsk for the order.") -> SkillContent:
    """Returns a skill with other files."""
    return SkillContent(name=name, description=f"How {name} work", instructions=instructions, files=_FILES)


def with_skills(instance: Instance, *contents: SkillContent) -> tuple[Instance, tuple[StoredSkillFile, ...]]:
    """Returns the instance with exactly these skills, and the files to store with it."""
    skills, files = pack_skills(instance.id, contents)
    return replace(instance, skills=skills), files


def state_before(before: Instance, after: Instance) -> InstanceState:
    """Returns the state that a save replaces."""
    state = replaced_state(before, after, at=before.updated_at, by="ann@example.com")
    assert state is not None
    return state


class SkillFilesContract(Contract):
    """The tests that every SkillFiles must pass; subclasses provide an empty one, and the adapters of its store."""

    @pytest.fixture
    def skill_files(self) -> SkillFiles:
        raise NotImplementedError("return an empty SkillFiles")

    @pytest.fixture
    def instance_repo(self) -> InstanceRepo:
        raise NotImplementedError("return the InstanceRepo of the same store")

    @pytest.fixture
    def history(self) -> InstanceHistory:
        raise NotImplementedError("return the InstanceHistory of the same store")

    @pytest.fixture
    async def instance(self, instance_repo: InstanceRepo) -> Instance:
        """A stored instance with one skill."""
        built, files = with_skills(InstanceFactory.build(), content_of_skill())
        return await instance_repo.add(built, skill_files=files)

    def test_implements_the_port(self, skill_files: SkillFiles) -> None:
        assert isinstance(skill_files, SkillFiles)

    @proves(
        "Returns the files of a skill without their content, ordered by path; none if they aren't stored.",
        "Returns one file of a skill, or None if it isn't stored.",
    )
    async def test_unknown_files_are_not_found(self, skill_files: SkillFiles, instance: Instance) -> None:
        digest = instance.skills[0].digest
        for owner, wanted in ((_NOBODY, digest), (instance.id, _NO_DIGEST)):
            assert list(await skill_files.list(owner, wanted)) == []
            assert list(await skill_files.read_all(owner, wanted)) == []
            assert await skill_files.get(owner, wanted, INSTRUCTIONS_FILE) is None
        for path in (*_UNKNOWN_PATHS, unicodedata.normalize("NFD", _FILES[1].path)):
            assert await skill_files.get(instance.id, digest, path) is None

    @proves(
        "Reads the files that the InstanceRepo of the same store keeps when it adds or saves an instance.",
        "Returns one file of a skill, or None if it isn't stored.",
        "Returns all files of a skill, ordered by path; none if they aren't stored.",
    )
    async def test_files_are_read_as_they_were_stored(self, skill_files: SkillFiles, instance: Instance) -> None:
        content, digest = content_of_skill(), instance.skills[0].digest
        instructions = SkillFile(path=INSTRUCTIONS_FILE, content=content.instructions)
        expected = sorted((instructions, *_FILES), key=lambda file: file.path)
        assert list(await skill_files.read_all(instance.id, digest)) == expected
        for file in expected:
            assert await skill_files.get(instance.id, digest, file.path) == file

    @proves("Returns the files of a skill without their content, ordered by path; none if they aren't stored.")
    async def test_list_has_sizes_and_scripts(self, skill_files: SkillFiles, instance: Instance) -> None:
        found = list(await skill_files.list(instance.id, instance.skills[0].digest))
        assert [file.path for file in found] == sorted([INSTRUCTIONS_FILE, *(file.path for file in _FILES)])
        by_path = {file.path: file for file in found}
        assert by_path["scripts/check.py"] == SkillFileSummary(path="scripts/check.py", size=12, is_script=True)
        assert by_path["Zoo"] == SkillFileSummary(path="Zoo", size=0, is_script=False)
        assert by_path["run"].is_script
        assert sum(file.size for file in found) == instance.skills[0].size

    @proves("Reads the files that the InstanceRepo of the same store keeps when it adds or saves an instance.")
    async def test_instance_is_stored_with_its_skills(self, instance_repo: InstanceRepo, instance: Instance) -> None:
        assert await instance_repo.get(instance.slug) == instance
        second = content_of_skill("complaints", instructions="Say sorry.")
        changed, files = with_skills(instance, second, content_of_skill())
        saved = await instance_repo.save(changed, skill_files=files)
        assert saved.skills == changed.skills
        assert await instance_repo.get(instance.slug) == saved

    @proves(
        "Files are found by the digest of their skill, and never change.",
        "Returns one file of a skill, or None if it isn't stored.",
    )
    async def test_skills_of_an_instance_have_files_of_their_own(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        contents = [content_of_skill(name, instructions=name) for name in ("returns", "complaints")]
        changed, files = with_skills(instance, *contents)
        await instance_repo.save(changed, skill_files=files)
        for skill, content in zip(changed.skills, contents, strict=True):
            instructions = SkillFile(path=INSTRUCTIONS_FILE, content=content.instructions)
            assert await skill_files.get(instance.id, skill.digest, INSTRUCTIONS_FILE) == instructions
            found = list(await skill_files.read_all(instance.id, skill.digest))
            assert found == sorted((instructions, *_FILES), key=lambda file: file.path)

    @proves("Reads the files that the InstanceRepo of the same store keeps when it adds or saves an instance.")
    async def test_largest_skill_is_kept(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        """With the maximum number of files, the longest path, and the largest file."""
        small = [SkillFile(path=f"{number:03}.md", content=f"{number}") for number in range(MAX_SKILL_FILES - 3)]
        others = (
            SkillFile(path="large.md", content="中" * (MAX_SKILL_FILE_BYTES // 3) + "x" * (MAX_SKILL_FILE_BYTES % 3)),
            SkillFile(path="p" * MAX_SKILL_PATH_CHARACTERS, content="path"),
            *small,
        )
        changed, files = with_skills(instance, replace(content_of_skill(instructions="All."), files=others))
        await instance_repo.save(changed, skill_files=files)
        (skill,) = changed.skills
        found = {file.path: file for file in await skill_files.read_all(instance.id, skill.digest)}
        assert len(found) == MAX_SKILL_FILES
        assert all(found[file.path] == file for file in others)
        listed = await skill_files.list(instance.id, skill.digest)
        assert [file.path for file in listed] == [*found]
        assert sum(file.size for file in listed) == skill.size
        for file in others[:2]:
            assert await skill_files.get(instance.id, skill.digest, file.path) == file

    @proves("Given skill files are stored unless they are stored already.")
    async def test_save_without_files_keeps_stored_ones(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        await instance_repo.save(replace(instance, name="New"))
        assert await skill_files.read_all(instance.id, instance.skills[0].digest)

    @proves("Given skill files are stored unless they are stored already.")
    @proves("Files are found by the digest of their skill, and never change.")
    async def test_stored_files_can_be_given_again(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        """A skill with the same files as another one shares them."""
        twin = replace(content_of_skill(), name="twin")
        changed, files = with_skills(instance, content_of_skill(), twin)
        before = list(await skill_files.read_all(instance.id, instance.skills[0].digest))
        await instance_repo.save(changed, skill_files=[replace(file, content="Changed.") for file in files])
        assert list(await skill_files.read_all(instance.id, instance.skills[0].digest)) == before

    async def test_files_of_replaced_skills_are_dropped(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        changed, files = with_skills(instance, content_of_skill(instructions="New."))
        saved = await instance_repo.save(changed, skill_files=files)
        assert list(await skill_files.read_all(instance.id, instance.skills[0].digest)) == []
        assert await skill_files.read_all(instance.id, saved.skills[0].digest)
        await instance_repo.save(replace(saved, skills=()))
        assert list(await skill_files.read_all(instance.id, saved.skills[0].digest)) == []

    @proves("Those that belong neither to a skill of the instance nor to a state are dropped.")
    async def test_files_that_belong_to_no_skill_are_not_kept(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        other, files = with_skills(instance, content_of_skill(instructions="Unused."))
        await instance_repo.save(instance, skill_files=files)
        assert list(await skill_files.read_all(instance.id, other.skills[0].digest)) == []

    @proves("InstanceChangedError: The files of one of the instance's skills aren't given; nothing is stored.")
    async def test_skills_without_files_are_refused(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        missing = (Skill(name="gone", description="Gone", digest=_NO_DIGEST, size=1),)
        with pytest.raises(InstanceChangedError):
            await instance_repo.save(replace(instance, skills=missing))
        assert await instance_repo.get(instance.slug) == instance
        new = replace(InstanceFactory.build(), skills=missing)
        with pytest.raises(InstanceChangedError):
            await instance_repo.add(new)
        assert await instance_repo.get(new.slug) is None
        assert await skill_files.read_all(instance.id, instance.skills[0].digest)

    @proves(
        "The same holds for the state that a save `replaced`, which the InstanceHistory of the same "
        "store lists, and for `skill_files`, which the SkillFiles of the same store reads.",
    )
    async def test_refused_writes_store_no_files(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        changed, files = with_skills(instance, content_of_skill(instructions="Mine."))
        with pytest.raises(InstanceChangedError):
            await instance_repo.save(replace(changed, version=7), skill_files=files)
        assert list(await skill_files.read_all(instance.id, changed.skills[0].digest)) == []
        again, files = with_skills(replace(InstanceFactory.build(), slug=instance.slug), content_of_skill())
        with pytest.raises(InstanceExistsError):
            await instance_repo.add(again, skill_files=files)
        assert list(await skill_files.read_all(again.id, again.skills[0].digest)) == []
        unknown, files = with_skills(InstanceFactory.build(version=1), content_of_skill())
        with pytest.raises(UnknownInstanceError):
            await instance_repo.save(unknown, skill_files=files)
        assert list(await skill_files.read_all(unknown.id, unknown.skills[0].digest)) == []

    @proves("Deleting the instance deletes them.")
    async def test_instances_have_files_of_their_own(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        built, files = with_skills(InstanceFactory.build(), content_of_skill())
        other = await instance_repo.add(built, skill_files=files)
        assert other.skills == instance.skills
        assert await skill_files.read_all(other.id, other.skills[0].digest)
        with pytest.raises(InstanceChangedError):
            await instance_repo.delete(other.slug, version=7)
        assert await skill_files.read_all(other.id, other.skills[0].digest)
        await instance_repo.delete(other.slug)
        assert list(await skill_files.read_all(other.id, other.skills[0].digest)) == []
        assert list(await skill_files.list(other.id, other.skills[0].digest)) == []
        assert await skill_files.get(other.id, other.skills[0].digest, INSTRUCTIONS_FILE) is None
        assert await skill_files.read_all(instance.id, instance.skills[0].digest)

    @proves("Those that belong neither to a skill of the instance nor to a state are dropped.")
    async def test_save_drops_no_files_of_other_instances(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        built, files = with_skills(InstanceFactory.build(), content_of_skill())
        other = await instance_repo.add(built, skill_files=files)
        await instance_repo.save(replace(other, skills=()))
        assert list(await skill_files.read_all(other.id, other.skills[0].digest)) == []
        assert len(await skill_files.read_all(instance.id, instance.skills[0].digest)) == len(_FILES) + 1

    @proves("Deleting the instance deletes them.")
    async def test_deleting_an_instance_deletes_the_files_of_its_history(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        digest = instance.skills[0].digest
        changed = replace(instance, skills=())
        await instance_repo.save(changed, replaced=state_before(instance, changed))
        assert await skill_files.read_all(instance.id, digest)
        await instance_repo.delete(instance.slug)
        assert list(await skill_files.read_all(instance.id, digest)) == []

    @proves("They are kept while the instance has a skill with that digest, or a state in its history has one.")
    async def test_files_stay_while_the_history_has_their_skill(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, history: InstanceHistory, instance: Instance
    ) -> None:
        digest = instance.skills[0].digest
        changed, files = with_skills(instance, content_of_skill(instructions="New."))
        state = state_before(instance, changed)
        saved = await instance_repo.save(changed, skill_files=files, replaced=state)
        assert await history.get(instance.id, state.number) == state
        assert await skill_files.read_all(instance.id, digest)
        restored = replace(saved, skills=instance.skills)
        saved = await instance_repo.save(restored, replaced=state_before(saved, restored))
        await history.delete(instance.id, state.number)
        assert await skill_files.read_all(instance.id, digest)
        await instance_repo.save(replace(saved, skills=()))
        assert list(await skill_files.read_all(instance.id, digest)) == []

    @proves("They are kept while the instance has a skill with that digest, or a state in its history has one.")
    async def test_files_go_with_their_last_state(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, history: InstanceHistory, instance: Instance
    ) -> None:
        changed = replace(instance, skills=())
        state = state_before(instance, changed)
        await instance_repo.save(changed, replaced=state)
        await history.delete(instance.id, state.number)
        assert list(await skill_files.read_all(instance.id, instance.skills[0].digest)) == []

    @proves("Those that belong neither to a skill of the instance nor to a state are dropped.")
    @proves("They are kept while the instance has a skill with that digest, or a state in its history has one.")
    async def test_files_of_dropped_states_are_dropped(
        self, skill_files: SkillFiles, instance_repo: InstanceRepo, history: InstanceHistory, instance: Instance
    ) -> None:
        """A state counts with the files that the save replaced, which fill the history."""
        large = tuple(SkillFile(path=f"{number}.md", content="x" * 65_536) for number in range(15))
        number, saved, digests = 0, instance, [instance.skills[0].digest]
        while len(digests) < MAX_HISTORY_BYTES // 1_000_000 + 3:
            number += 1
            changed, files = with_skills(saved, replace(content_of_skill(instructions=f"Number {number}"), files=large))
            saved = await instance_repo.save(changed, skill_files=files, replaced=state_before(saved, changed))
            digests.append(saved.skills[0].digest)
        kept = {state.number for state in await history.list(instance.id)}
        assert instance.version not in kept
        assert kept == set(range(saved.version - len(kept), saved.version))
        stored = [bool(await skill_files.list(instance.id, digest)) for digest in digests]
        assert stored == [False] * (len(digests) - len(kept) - 1) + [True] * (len(kept) + 1)


class SkillFilesOutageContract(Contract):
    """The additional tests for a SkillFiles whose store can fail; subclasses provide one with an unavailable store."""

    @pytest.fixture
    def unavailable(self) -> SkillFiles:
        raise NotImplementedError("return a SkillFiles whose store is unavailable")

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    @pytest.mark.parametrize(
        "operation",
        [
            lambda files: files.list(_NOBODY, _NO_DIGEST),
            lambda files: files.get(_NOBODY, _NO_DIGEST, INSTRUCTIONS_FILE),
            lambda files: files.read_all(_NOBODY, _NO_DIGEST),
        ],
        ids=["list", "get", "read_all"],
    )
    async def test_each_method_reports_unavailable_store(
        self, unavailable: SkillFiles, operation: Callable[[SkillFiles], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await operation(unavailable)
