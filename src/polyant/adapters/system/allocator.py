"""The C library's allocator, which should return large blocks to the operating system."""

import contextlib
import ctypes
import os

_MMAP_THRESHOLD_PARAMETER = -3  # M_MMAP_THRESHOLD in malloc.h
_MMAP_THRESHOLD_BYTES = 64 * 1024


def return_large_blocks() -> None:
    """Makes glibc return each block of 64 KiB or more to the operating system when it is freed.

    By default, it does so for 128 KiB, and only until the first such block is freed. Then it keeps blocks of that size
    in the heap, where one small block behind them holds them back: the buffers of a few clients that accepted no data
    stayed for ever.

    Nothing changes if the environment sets the threshold, or if the C library has none.
    """
    if "MALLOC_MMAP_THRESHOLD_" in os.environ or "mmap_threshold" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD_PARAMETER, _MMAP_THRESHOLD_BYTES)
