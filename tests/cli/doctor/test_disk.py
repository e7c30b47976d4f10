"""The check of the free space."""

import os
from pathlib import Path

import pytest

from polyant.cli.doctor.disk import space_finding
from support.mounts import require_mounts, with_small_disk
from support.process import POLYANT, run

GIB = 2**30


def space(*, free: int, size: int, inodes: int = 1_000, free_inodes: int = 900) -> os.statvfs_result:
    blocks, left = size // 4096, free // 4096
    return os.statvfs_result((4096, 4096, blocks, left, left, inodes, free_inodes, free_inodes, 0, 255))


@pytest.mark.parametrize(
    "free, size, state",
    [
        (10 * GIB, 1_000 * GIB, "ok"),
        (GIB // 2, 100 * GIB, "warning"),
        (GIB // 2, GIB, "ok"),
        (7 * 2**20, 8 * 2**20, "fault"),
        (0, 100 * GIB, "fault"),
        (0, 0, "ok"),  # a virtual file system
    ],
)
def test_little_space_is_reported(free: int, size: int, state: str) -> None:
    finding = space_finding(Path("/srv"), space(free=free, size=size))
    assert (finding.state, finding.about) == (state, "disk")
    assert "/srv" in finding.text
    assert (finding.fix is None) is (state == "ok")


def test_missing_inodes_are_a_fault() -> None:
    finding = space_finding(Path("/srv"), space(free=GIB, size=GIB, free_inodes=0))
    assert finding.state == "fault"
    assert "no free inodes" in finding.description


def test_file_system_without_a_number_of_inodes_is_fine() -> None:
    assert space_finding(Path("/srv"), space(free=GIB, size=GIB, inodes=0, free_inodes=0)).state == "ok"


def test_full_disk_is_a_fault(tmp_path: Path) -> None:
    require_mounts()
    home = tmp_path / ".polyant"
    home.mkdir()
    command = with_small_disk([*POLYANT, "doctor"], home, size="1m")
    done = run(tmp_path, command, API_PORT="0")
    assert done.returncode == 1
    assert f"fault    disk: only 1 MiB of 1 MiB are free at {home}. Free space there" in done.stdout
