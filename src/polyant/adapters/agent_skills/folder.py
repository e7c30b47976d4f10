"""Reads a skill from a folder: SKILL.md and the files beside it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from polyant.adapters.agent_skills.front_matter import parse_skill_text
from polyant.domain.errors import InvalidInputError
from polyant.domain.skills import (
    INSTRUCTIONS_FILE,
    MAX_SKILL_BYTES,
    MAX_SKILL_FILE_BYTES,
    MAX_SKILL_FILES,
    SkillContent,
    SkillFile,
    parse_skill_description,
    parse_skill_name,
    parse_skill_path,
)

_MAX_DEPTH = 8
_MAX_ENTRIES = 2_000


class FolderSkill(msgspec.Struct, frozen=True, kw_only=True):
    """A skill from a folder, and what was left out of it."""

    content: SkillContent
    skipped: tuple[str, ...]
    """The paths of hidden files and folders, and of files that aren't text in UTF-8."""


def read_skill_folder(folder: Path) -> FolderSkill:
    """Returns the skill in a folder.

    No symbolic link below the folder is followed, and no file is read beyond its maximum size.

    Raises:
        InvalidInputError: The folder isn't a valid skill, or is too large; the message names the file and the rule.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is not a folder")
    files: dict[str, str] = {}
    skipped: list[str] = []
    size = 0
    try:
        for path, is_hidden in _paths(folder):
            text = None if is_hidden else _text_of(folder / path, path)
            if text is None:
                skipped.append(path)
                continue
            files[path] = text
            size += len(text.encode())
            if len(files) > MAX_SKILL_FILES or size > MAX_SKILL_BYTES:
                raise InvalidInputError(
                    f"A skill can have at most {MAX_SKILL_FILES} files and {MAX_SKILL_BYTES:,} bytes together"
                )
    except OSError as error:
        raise InvalidInputError(f"{folder} can't be read: {error.strerror or type(error).__name__}") from None
    return FolderSkill(content=_content_of(folder, files), skipped=tuple(skipped))


def _content_of(folder: Path, files: dict[str, str]) -> SkillContent:
    text = files.pop(INSTRUCTIONS_FILE, None)
    if text is None:
        raise InvalidInputError(f"{folder} has no {INSTRUCTIONS_FILE}")
    parsed = parse_skill_text(text)
    for field in ("name", "description"):
        if not getattr(parsed, field):
            raise InvalidInputError(f"The front matter of {INSTRUCTIONS_FILE} must have a {field}")
    return SkillContent(
        name=parse_skill_name(parsed.name or ""),
        description=parse_skill_description(parsed.description or ""),
        instructions=parsed.instructions,
        files=tuple(SkillFile(path=parse_skill_path(path), content=files[path]) for path in sorted(files)),
    )


def _paths(folder: Path) -> Iterator[tuple[str, bool]]:
    """Yields the path of each file, and of each hidden file or folder with true, in order."""
    waiting, entries = [""], 0
    while waiting:
        prefix = waiting.pop()
        with os.scandir(folder / prefix) as found:
            for entry in sorted(found, key=lambda entry: entry.name):
                entries += 1
                path = f"{prefix}{entry.name}"
                if entries > _MAX_ENTRIES:
                    raise InvalidInputError(f"{folder} has more than {_MAX_ENTRIES:,} files and folders")
                if entry.name.startswith("."):
                    yield path, True
                elif entry.is_symlink():
                    raise InvalidInputError(f"{_shown(path)} is a symbolic link, which a skill must not contain")
                elif not entry.is_dir(follow_symlinks=False):
                    yield path, False
                elif path.count("/") >= _MAX_DEPTH:
                    raise InvalidInputError(f"{_shown(path)} is more than {_MAX_DEPTH} folders deep")
                else:
                    waiting.append(f"{path}/")


def _text_of(file: Path, path: str) -> str | None:
    """Returns the text of a file, or None if it isn't text."""
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer. O_NOFOLLOW: it may be a link by now.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidInputError(f"{_shown(path)} can't be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidInputError(f"{_shown(path)} is not a regular file")
        content = opened.read(MAX_SKILL_FILE_BYTES + 1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(content) - 3 or len(content) <= MAX_SKILL_FILE_BYTES:
            return None
        text = ""
    if "\0" in text:
        return None
    if len(content) > MAX_SKILL_FILE_BYTES:
        raise InvalidInputError(f"{_shown(path)} has more than {MAX_SKILL_FILE_BYTES:,} bytes")
    return text


def _shown(path: str) -> str:
    return ascii(path)[1:-1]
