import msgspec
import pytest

from polyant.domain.errors import InvalidInputError, PreconditionFailedError
from polyant.domain.versioned_edit import check_version, edit_stored

MAX_ATTEMPTS = 20


class Note(msgspec.Struct, frozen=True):
    text: str = ""
    version: int = 1


class ChangedError(PreconditionFailedError):
    """The error made by `conflict`, distinct from the store's error."""


def conflict(note: Note) -> ChangedError:
    return ChangedError(f"version {note.version}")


class NoteStore:
    """A store of one note in which a concurrent write precedes each of the next `races` saves."""

    def __init__(self, races: int = 0) -> None:
        self.note = Note()
        self.races = races
        self.reads = 0

    async def read(self) -> Note:
        self.reads += 1
        return self.note

    async def append(self, note: Note) -> Note:
        if self.races:
            self.races -= 1
            self.note = Note(f"{self.note.text}x", self.note.version + 1)
        if note.version != self.note.version:
            raise PreconditionFailedError("stale")
        self.note = Note(f"{note.text}!", note.version + 1)
        return self.note

    async def edit(self, *expected: int) -> Note:
        return await edit_stored(self.read, self.append, expected_versions=expected or None, conflict=conflict)


async def test_edit_is_stored() -> None:
    assert await NoteStore().edit() == Note("!", 2)


async def test_lost_race_is_retried_on_the_newer_state() -> None:
    store = NoteStore(races=MAX_ATTEMPTS - 1)
    assert await store.edit() == Note("x" * (MAX_ATTEMPTS - 1) + "!", MAX_ATTEMPTS + 1)


async def test_too_many_lost_races_raise_the_store_error() -> None:
    store = NoteStore(races=MAX_ATTEMPTS)
    with pytest.raises(PreconditionFailedError, match="stale"):
        await store.edit()
    assert store.reads == MAX_ATTEMPTS


async def test_unexpected_version_is_a_conflict_at_once() -> None:
    store = NoteStore()
    with pytest.raises(ChangedError, match="version 1"):
        await store.edit(2, 3)
    assert (store.reads, store.note) == (1, Note())


async def test_race_lost_with_an_expected_version_is_not_retried() -> None:
    store = NoteStore(races=1)
    with pytest.raises(ChangedError, match="version 2"):
        await store.edit(1)
    assert store.note == Note("x", 2)


async def test_other_errors_are_not_retried() -> None:
    store = NoteStore()

    async def refuse(_: Note) -> Note:
        raise InvalidInputError("no")

    with pytest.raises(InvalidInputError):
        await edit_stored(store.read, refuse, expected_versions=None, conflict=conflict)
    assert store.reads == 1


def test_empty_expected_versions_match_none_and_omitted_ones_match_all() -> None:
    check_version(Note(), None, conflict)
    check_version(Note(), {1, 7}, conflict)
    with pytest.raises(ChangedError):
        check_version(Note(), set(), conflict)
