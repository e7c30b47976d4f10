"""How many files and connections the process may have open."""

import contextlib


def raise_file_limit() -> None:
    """Raises the limit as far as the system lets a process do it; each stream takes two connections.

    Where there is no such limit, or the system refuses, everything stays as it is.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not every system has it

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
