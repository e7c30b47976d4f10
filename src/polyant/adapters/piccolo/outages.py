"""Outages of the database: their reasons in words, and their place in the log."""

import errno
import logging
import os
import time
from pathlib import Path

import msgspec

_logger = logging.getLogger(__name__)

_INTERVAL_SECONDS = 10.0
_FILE_LIMIT_FIX = "Raise the limit of open files (ulimit -n, LimitNOFILE=), or lower MAX_CONNECTIONS"


class Diagnosis(msgspec.Struct, frozen=True):
    """The reason of an outage, and what an operator can do."""

    reason: str
    fix: str
    reads_work: bool = False
    """Whether the database still responds to queries that change nothing."""

    @property
    def text(self) -> str:
        """The reason and the fix."""
        return f"{self.reason}. {self.fix}"


class AvailabilityLog:
    """Logs when a database becomes unavailable or available.

    The log is rate-limited, because an overloaded database changes its state constantly. After an outage in which only
    writes fail, only a write shows that the database is available.

    Args:
        place: The location of the database, for operators.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._outage: Diagnosis | None = None
        self._quiet_until = 0.0

    def failed(self, diagnosis: Diagnosis) -> None:
        """Notes a failure and logs it if the database was available."""
        is_new = self._outage is None or (diagnosis.reads_work and not self._outage.reads_work)
        if not is_new or (self._outage is None and time.monotonic() < self._quiet_until):
            return
        self._change(diagnosis, f"Cannot use {self._place}: {diagnosis.text}")

    def succeeded(self, *, wrote: bool) -> None:
        """Notes a success and logs it if the database was unavailable."""
        if self._outage is not None and (wrote or not self._outage.reads_work):
            self._change(None, f"Can use {self._place} again")

    def _change(self, outage: Diagnosis | None, message: str) -> None:
        self._outage = outage
        self._quiet_until = time.monotonic() + _INTERVAL_SECONDS
        _logger.warning(message)


def full_disk(folder: str) -> Diagnosis:
    """Returns the diagnosis of a full disk, at a folder or on a server."""
    return Diagnosis("the disk is full", f"Free space {folder}; until then, only reads work", reads_work=True)


def diagnose_file(path: Path, reason: str, number: int | None = None) -> Diagnosis:
    """Returns the diagnosis of a file that can't be used, from its error or the state of its folder.

    Args:
        path: The file.
        reason: The reason that the database or the system reported.
        number: The error number of the system, if it is known.
    """
    folder = path.absolute().parent
    if number in {errno.ENOSPC, errno.EDQUOT} or (number is None and _has_no_space(folder)):
        return full_disk(f"on the file system of {folder}")
    if number in {errno.EMFILE, errno.ENFILE} or (number is None and _are_files_exhausted()):
        return Diagnosis("out of file descriptors", _FILE_LIMIT_FIX)
    if number == errno.EROFS or _is_read_only(folder):
        return Diagnosis(f"{reason}; its file system is read-only", "Mount the file system writable")
    if not os.access(path if os.access(path, os.F_OK) else folder, os.R_OK | os.W_OK) or not os.access(folder, os.W_OK):
        return Diagnosis(reason, f"Give this user access to the file and to its folder {folder}")
    return Diagnosis(reason, "Run `polyant doctor`, and restore a backup if the file is damaged")


def _are_files_exhausted() -> bool:
    """Returns whether this process can open no more files."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in {errno.EMFILE, errno.ENFILE}
    return False


def _has_no_space(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return not found.f_bavail or bool(found.f_files and not found.f_favail)


def _is_read_only(folder: Path) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False
