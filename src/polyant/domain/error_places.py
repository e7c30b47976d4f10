"""Loggable locations of exceptions."""

import traceback


def place_of(error: BaseException) -> str:
    """Returns the file and line that raised an exception; its text may contain a secret, so it isn't logged."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return f"{frame.f_code.co_filename}:{line}"
