"""The files that a page of the documentation prints, each after its path."""

import re
from pathlib import Path


def write_printed_files(page: Path, folder: Path) -> list[str]:
    """Writes the files of a page to a folder, and returns their paths in it."""
    files = re.findall(r"(?ms)^`([^`\n]+)`\n\n```\w+\n(.*?)^```$", page.read_text())
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return [name for name, _ in files]
