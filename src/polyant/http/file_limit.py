"""Logs that the process has no file descriptors left: then the server closes new connections without a word."""

import errno
import logging
import os
import resource

log = logging.getLogger("polyant.http")

_INTERVAL_SECONDS = 60.0
_FIX = "raise the limit of open files (ulimit -n, LimitNOFILE=), or lower MAX_CONNECTIONS"


class FileLimitWatch:
    """Checks whether a file can be opened, and logs at most once a minute that none can."""

    def __init__(self) -> None:
        self._quiet_until = float("-inf")

    def check(self, now: float, *, connections: int) -> None:
        """Logs if the process is out of file descriptors.

        Args:
            now: The loop's time, in seconds.
            connections: The number of open client connections, for the log.
        """
        if now < self._quiet_until or not _is_exhausted():
            return
        self._quiet_until = now + _INTERVAL_SECONDS
        fields = {"limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0], "connections": connections}
        log.error("out of file descriptors, so new connections are closed: %s", _FIX, extra={"fields": fields})


def _is_exhausted() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in {errno.EMFILE, errno.ENFILE}
    return False
