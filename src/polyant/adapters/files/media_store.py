"""Media of conversations as files in a folder."""

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from polyant.domain.conversations import ConversationId, MessageId
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.media.stored import MediaAddress, MediaFolder, StoredMedia, UnknownMediaError
from polyant.domain.ports.media_store import MediaStore

Result = TypeVar("Result")

_UNFINISHED = ".tmp"
_NAME_DIGITS = 32
_MICROSECONDS = 1_000_000


class FolderMediaStore(MediaStore):
    """Keeps each item in a file: a line of JSON that describes it, then its content.

    A conversation has a folder of its own, so that its items are deleted together. Deleting by message and expiring
    look at the names and times of all files. Hosts that share the folder see each other's items.

    Args:
        folder: The folder; it is created with the first item, readable for its owner only.
    """

    def __init__(self, *, folder: MediaFolder) -> None:
        self._folder = Path(folder)

    async def put(self, item: StoredMedia) -> None:
        await self._in_thread(lambda: self._put(item))

    async def get(self, conversation: ConversationId, address: MediaAddress) -> StoredMedia:
        return await self._in_thread(lambda: self._get(conversation, address))

    async def delete(
        self, *, messages: Collection[MessageId] = (), conversations: Collection[ConversationId] = ()
    ) -> None:
        await self._in_thread(lambda: self._delete(messages, conversations))

    async def expire(self, before: datetime, *, limit: int) -> bool:
        return await self._in_thread(lambda: self._expire(before, limit))

    async def export(self) -> AsyncGenerator[StoredMedia, None]:
        for path in await self._in_thread(lambda: list(self._files())):
            with contextlib.suppress(FileNotFoundError):
                yield await self._in_thread(lambda path=path: _read(path))  # type: ignore[misc]

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StorageUnavailableError(hint=f"The folder of media {self._folder} can't be used: {reason}") from None

    def _put(self, item: StoredMedia) -> None:
        path = self._conversation(item.conversation) / f"{_name(item.message)}-{_name(item.address)}"
        if path.exists():
            return
        description = {"conversation": item.conversation, "message": item.message, "address": item.address}
        head = json.dumps({**description, "at": item.at.isoformat()}).encode()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.urandom(4).hex()}{_UNFINISHED}")
        try:
            _write(unfinished, head + b"\n" + item.content)
        except FileNotFoundError:  # the conversation is new, or was just deleted
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _sync(self._folder)
            _write(unfinished, head + b"\n" + item.content)
        moment = _nanoseconds(item.at)
        os.utime(unfinished, ns=(moment, moment))
        unfinished.replace(path)
        _sync(path.parent)

    def _get(self, conversation: ConversationId, address: MediaAddress) -> StoredMedia:
        ending = f"-{_name(address)}"
        for path in self._entries(self._conversation(conversation)):
            if path.name.endswith(ending):
                with contextlib.suppress(FileNotFoundError):
                    return _read(path)
        raise UnknownMediaError

    def _delete(self, messages: Collection[MessageId], conversations: Collection[ConversationId]) -> None:
        for conversation in conversations:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self._conversation(conversation))
        names = {_name(message) for message in messages}
        for path in self._files(unfinished=True) if names else ():
            if path.name.partition("-")[0] in names:
                _remove(path)

    def _expire(self, before: datetime, limit: int) -> bool:
        left = limit
        due = _nanoseconds(before)
        for path in self._files(unfinished=True):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime_ns < due:
                    if not left:
                        return False
                    _remove(path)
                    left -= 1
        return True

    def _files(self, *, unfinished: bool = False) -> Iterator[Path]:
        for folder in self._entries(self._folder):
            for path in self._entries(folder):
                if unfinished or path.suffix != _UNFINISHED:
                    yield path

    def _entries(self, folder: Path) -> list[Path]:
        """Returns the entries of a folder, oldest names first; none if it doesn't exist."""
        try:
            return sorted(folder.iterdir())
        except FileNotFoundError:
            return []

    def _conversation(self, conversation: ConversationId) -> Path:
        return self._folder / _name(conversation)


def _name(text: str) -> str:
    """Returns a file name for an id, which may contain any characters."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_NAME_DIGITS]


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> StoredMedia:
    head, _, content = path.read_bytes().partition(b"\n")
    fields = json.loads(head)
    return StoredMedia(**fields | {"at": datetime.fromisoformat(fields["at"]).astimezone(UTC), "content": content})


def _remove(path: Path) -> None:
    """Deletes a file and, if it was the last one, its folder."""
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def _sync(folder: Path) -> None:
    """Makes new names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _nanoseconds(moment: datetime) -> int:
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * _MICROSECONDS + since.microseconds) * 1_000
