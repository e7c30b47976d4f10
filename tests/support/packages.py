"""Third-party packages that a test installs."""

from collections.abc import Iterable
from pathlib import Path


def install(folder: Path, package: str, source: str, offers: Iterable[tuple[str, str, str]]) -> None:
    """Installs a package of one module into a folder.

    Args:
        folder: A folder on the import path.
        package: The distribution name.
        source: The source of the module.
        offers: Its entry points, each as group, name and object in the module.
    """
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    metadata = folder / f"{module}-1.2.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2.3\n")
    lines = [f"[polyant.{group}]\n{name} = {module}:{target}\n" for group, name, target in offers]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
