"""The C library's allocator, which should return freed memory to the operating system."""

import contextlib
import ctypes
import os

from polyant.domain.ports.clock import Clock

_MMAP_THRESHOLD_PARAMETER = -3  # M_MMAP_THRESHOLD in malloc.h
_MMAP_THRESHOLD_BYTES = 64 * 1024
_PAUSE_SECONDS = 60.0


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


async def return_free_memory_regularly(clock: Clock) -> None:
    """Returns free memory to the operating system once a minute until it is cancelled.

    Smaller blocks stay in the heap when they are freed: after an attack by many clients, up to a twentieth of a
    worker's memory. It takes less than a millisecond.

    Args:
        clock: Determines the pauses.
    """
    while True:
        await clock.sleep(_PAUSE_SECONDS)
        return_free_memory()


def return_free_memory() -> None:
    """Makes glibc return free memory within its heap to the operating system; other C libraries do nothing."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
