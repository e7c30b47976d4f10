"""Packages of third parties, installed for one test."""

from collections.abc import Iterable
from pathlib import Path


def install(folder: Path, package: str, source: str, offers: Iterable[tuple[str, str, str]]) -> None:
    """Puts a package of one module into a folder; offers are group, name and what in the module is offered."""
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    metadata = folder / f"{module}-1.2.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2.3\n")
    lines = [f"[polyant.{group}]\n{name} = {module}:{target}\n" for group, name, target in offers]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
