"""Optimistic concurrency: read, edit and store, with a retry when another writer was faster."""

from collections.abc import Awaitable, Callable, Collection
from typing import Protocol, TypeVar

from polyant.domain.errors import PreconditionFailedError

_MAX_ATTEMPTS = 20


class Versioned(Protocol):
    """A resource whose version is incremented on each write."""

    @property
    def version(self) -> int:
        """The version of the stored state."""


VersionedT = TypeVar("VersionedT", bound=Versioned)
StoredT = TypeVar("StoredT")
ResultT = TypeVar("ResultT")


def check_version(
    stored: VersionedT,
    expected_versions: Collection[int] | None,
    conflict: Callable[[VersionedT], PreconditionFailedError],
) -> None:
    """Checks that the stored state has one of the expected versions; None allows any version.

    Raises:
        PreconditionFailedError: The stored state has another version; `conflict` creates the error.
    """
    if expected_versions is not None and stored.version not in expected_versions:
        raise conflict(stored)


async def edit_stored(
    read: Callable[[], Awaitable[VersionedT]],
    save_edited: Callable[[VersionedT], Awaitable[VersionedT]],
    *,
    expected_versions: Collection[int] | None,
    conflict: Callable[[VersionedT], PreconditionFailedError],
) -> VersionedT:
    """Returns the state that `save_edited` stored; an edit that lost a race is reapplied to the newer state.

    Args:
        read: Returns the currently stored state.
        save_edited: Edits that state and stores it; raises PreconditionFailedError if another writer was faster.
        expected_versions: The versions that may be edited; None allows any.
        conflict: Creates the error for a state with an unexpected version.

    Raises:
        PreconditionFailedError: The state has none of the expected versions, or 20 attempts in a row lost a race.
    """

    async def read_expected() -> VersionedT:
        stored = await read()
        check_version(stored, expected_versions, conflict)
        return stored

    return await save_latest(read_expected, save_edited)


async def save_latest(
    read: Callable[[], Awaitable[StoredT]], save_edited: Callable[[StoredT], Awaitable[ResultT]]
) -> ResultT:
    """Returns what `save_edited` returns for the stored state; reads and saves again when another writer was faster.

    Args:
        read: Returns the currently stored state. Its errors aren't retried.
        save_edited: Edits that state and stores it; raises PreconditionFailedError if another writer was faster.

    Raises:
        PreconditionFailedError: 20 attempts in a row lost a race.
    """
    attempts_left = _MAX_ATTEMPTS
    while True:
        attempts_left -= 1
        stored = await read()
        try:
            return await save_edited(stored)
        except PreconditionFailedError:
            if not attempts_left:
                raise
