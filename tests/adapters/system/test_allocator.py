import asyncio
import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from polyant.adapters.system import allocator
from polyant.testing.manual_clock import ManualClock

_PROGRAM = """
import os, sys
from pathlib import Path
from polyant.adapters.system.allocator import return_free_memory, return_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if sys.argv[1] == "return":
    return_large_blocks()
del (largest := [bytes(8 * 2**20)])[:]
blocks = [(b"x" * 100_000, bytes(1_000)) for _ in range(200)]
held = resident()
blocks = [small for _, small in blocks]
if sys.argv[1] == "trim":
    return_free_memory()
print(held - resident())
"""
_BLOCKS_BYTES = 200 * 100_000


def _returned_bytes(mode: str, **variables: str) -> int:
    """Returns how much memory a process returns that frees large blocks between small ones."""
    environ = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    environ = {name: value for name, value in environ.items() if not name.startswith("MALLOC_")} | variables
    command = (sys.executable, "-c", _PROGRAM, mode)
    return int(subprocess.run(command, env=environ, capture_output=True, check=True).stdout)


pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt") or not Path("/proc/self/statm").exists(),
    reason="needs glibc and /proc",
)


def test_freed_large_blocks_are_returned_to_the_system() -> None:
    assert _returned_bytes("return") > 0.9 * _BLOCKS_BYTES
    assert _returned_bytes("keep") < 0.1 * _BLOCKS_BYTES, "the test shows no difference"


def test_free_memory_between_used_blocks_is_returned_to_the_system() -> None:
    assert _returned_bytes("trim", MALLOC_MMAP_THRESHOLD_="33554432") > 0.9 * _BLOCKS_BYTES


async def test_free_memory_is_returned_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, times = ManualClock(), []
    monkeypatch.setattr(allocator, "return_free_memory", lambda: times.append(clock.monotonic()))
    task = asyncio.create_task(allocator.return_free_memory_regularly(clock))
    for _ in range(3):
        await clock.sleepers()
        clock.advance(60)
    await clock.sleepers()
    task.cancel()
    assert times == [60.0, 120.0, 180.0]


@pytest.mark.parametrize(
    "variables",
    [{"MALLOC_MMAP_THRESHOLD_": "33554432"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=33554432"}],
    ids=["variable", "tunable"],
)
def test_threshold_of_the_environment_stays(variables: dict[str, str]) -> None:
    assert _returned_bytes("return", **variables) < 0.1 * _BLOCKS_BYTES
