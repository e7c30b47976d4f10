"""The limit of open files and connections of the process."""

import contextlib


def raise_file_limit() -> None:
    """Raises the soft limit to the hard limit, because each stream needs two connections.

    The limit is unchanged if the system has none or refuses the change.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not every system has it

        _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
