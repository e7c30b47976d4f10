"""polyant adapters new: writes the package of a new adapter, which passes its checks as it stands."""

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from polyant.domain.errors import ConflictError, InvalidInputError

_TEMPLATES = Path(__file__).parent / "templates"
_SUFFIX = ".template"
_NAME = re.compile(r"\A[a-z][a-z0-9]*([_-][a-z0-9]+)*\Z")
_MAX_NAME_CHARACTERS = 40
_NAME_RULE = "1 to 40 of a-z, 0-9, - and _, starting with a letter"


class FolderExistsError(ConflictError):
    """The folder of the new package exists already."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} already exists", hint="Choose another name, or remove it")


def add_to(actions: Any) -> None:
    """Adds the command to the actions of `polyant adapters`."""
    parser = actions.add_parser("new", help="write the package of a new adapter, with tests that pass")
    parser.add_argument("port", metavar="PORT", choices=_ports(), help=f"the adapter's port: {', '.join(_ports())}")
    parser.add_argument("name", metavar="NAME", help=f"name of the adapter: {_NAME_RULE}")
    parser.set_defaults(run=_write)


def _write(args: argparse.Namespace, _: Mapping[str, str]) -> None:
    folder = write_package(args.port, args.name, Path.cwd())
    print(f"Wrote {folder.name}. Its README.md has the next steps.")


def write_package(port: str, name: str, parent: Path) -> Path:
    """Returns the folder of the new package.

    Args:
        port: The port of the adapter, one of those with a template.
        name: The adapter's name, which becomes its entry point.
        parent: The folder in which the package's folder is created.

    Raises:
        InvalidInputError: The name breaks the rule.
        FolderExistsError: The package's folder exists; nothing is written.
    """
    if not _NAME.match(name) or len(name) > _MAX_NAME_CHARACTERS:
        raise InvalidInputError(f"The name of an adapter must be {_NAME_RULE}")
    words = re.split("[_-]", name)
    package = f"polyant-{'-'.join(words)}"
    folder = parent / package
    if folder.exists():
        raise FolderExistsError(folder)
    texts = {
        "PACKAGE": package,
        "MODULE": f"polyant_{'_'.join(words)}",
        "VARIABLE": "_".join(words).upper(),
        "CLASS": "".join(map(str.capitalize, words)),
        "NAME": name,
    }
    for path, content in _files(port):
        written = folder / _filled(str(path), texts)
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(_filled(content, texts))
    return folder


def _ports() -> list[str]:
    return sorted(path.name for path in _TEMPLATES.iterdir() if path.is_dir())


def _files(port: str) -> Iterator[tuple[Path, str]]:
    template = _TEMPLATES / port
    for path in sorted(template.rglob(f"*{_SUFFIX}")):
        yield path.relative_to(template).with_suffix(""), path.read_text()


def _filled(text: str, texts: Mapping[str, str]) -> str:
    return re.sub("|".join(texts), lambda found: texts[found[0]], text)
