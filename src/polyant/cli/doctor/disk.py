"""Checks the free space of the file systems that hold the data."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from polyant.cli.doctor.files import data_folders
from polyant.cli.doctor.finding import Finding, fault, ok, warning
from polyant.settings import Settings

_MIB = 2**20
_FULL_BYTES = 8 * _MIB
_LOW_BYTES = 1_024 * _MIB
_LOW_SHARE = 0.05
_FIX = (
    "Free space there, keep turn metrics for fewer days (TURN_LOG_DAYS), or move POLYANT_HOME to a larger file system"
)


async def check_space(settings: Settings) -> AsyncIterator[Finding]:
    """Yields the free space of each file system that holds data; free inodes count, too."""
    seen: set[int] = set()
    for folder in map(_existing, data_folders(settings)):
        device = folder.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield space_finding(folder, os.statvfs(folder))


def space_finding(folder: Path, space: os.statvfs_result) -> Finding:
    """Returns the finding for the free space of a folder's file system."""
    free, size = space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize
    text = f"{_shown(free)} of {_shown(size)} are free at {folder}"
    if space.f_files and not space.f_favail:
        return fault("disk", f"the file system of {folder} has no free inodes", fix="Delete files that nobody needs")
    if free < _FULL_BYTES and size:  # a virtual file system has no size
        return fault("disk", f"only {text}", fix=_FIX)
    if free < _LOW_BYTES and free < size * _LOW_SHARE:
        return warning("disk", f"only {text}", fix=_FIX)
    return ok("disk", text)


def _existing(folder: Path) -> Path:
    """Returns the folder, or the closest one above it that this user can see."""
    for path in (folder, *folder.parents):
        try:
            path.stat()
        except OSError:
            continue
        return path
    return Path("/")


def _shown(number: int) -> str:
    return f"{number / _MIB:.0f} MiB" if number < _LOW_BYTES else f"{number / _LOW_BYTES:.1f} GiB"
