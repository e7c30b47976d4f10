"""Packages that `polyant adapters new` writes, on slow machines."""

from pathlib import Path

from support.patience import seconds


def give_time(folder: Path) -> None:
    """Scales the time-outs in a package's tests, as those of our own tests are."""
    for path in (folder / "tests").glob("test_*.py"):
        path.write_text(path.read_text().replace("open_seconds=1.2", f"open_seconds={seconds(1.2)}"))
