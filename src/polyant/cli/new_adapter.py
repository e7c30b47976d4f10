"""polyant adapters new: writes the package of a new adapter, which passes its checks as it stands."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyant.cli.adapter_templates import TEMPLATES, files_of, name_of, texts_of
from polyant.domain.channels import parse_channel_name
from polyant.domain.errors import ConflictError, InvalidInputError

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
    parser.add_argument(
        "port",
        metavar="PORT",
        type=_parse_port,
        help="the adapter's port, such as rate_limiter or tool: the GROUP of `polyant adapters`",
    )
    parser.add_argument("name", metavar="NAME", help=f"name of the adapter: {_NAME_RULE}")
    parser.set_defaults(run=_write)


def _parse_port(text: str) -> str:
    if text not in TEMPLATES:
        raise argparse.ArgumentTypeError(f"unknown port '{text}'; ports: {', '.join(sorted(TEMPLATES))}")
    return text


def _write(args: argparse.Namespace, _: Mapping[str, str]) -> None:
    folder = write_package(args.port, args.name, Path.cwd())
    print(f"Wrote {folder.name}. Its README.md has the next steps.")


def write_package(port: str, name: str, parent: Path) -> Path:
    """Returns the folder of the new package.

    Args:
        port: The port of the adapter. The package of a port that shares its setting with others has adapters of all.
        name: The adapter's name, which becomes its entry point.
        parent: The folder in which the package's folder is created.

    Raises:
        InvalidInputError: The name breaks the rule.
        FolderExistsError: The package's folder exists; nothing is written.
    """
    if not _NAME.match(name) or len(name) > _MAX_NAME_CHARACTERS:
        raise InvalidInputError(f"The name of an adapter must be {_NAME_RULE}")
    if port == "channel":
        parse_channel_name(name_of(port, name))
    words = re.split("[_-]", name)
    package = f"polyant-{'-'.join(words)}"
    folder = parent / package
    if folder.exists():
        raise FolderExistsError(folder)
    names = {
        "PACKAGE": package,
        "MODULE": f"polyant_{'_'.join(words)}",
        "VARIABLE": "_".join(words).upper(),
        "CLASS": "".join(map(str.capitalize, words)),
        "SNAKE": "_".join(words),
        "NAME": name_of(port, name),
    }
    texts = texts_of(port)
    for path, content in files_of(port):
        written = folder / _filled(str(path), names)
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(_filled(_filled(content, texts), names))
    return folder


def _filled(text: str, texts: Mapping[str, str]) -> str:
    return re.sub("|".join(texts), lambda found: texts[found[0]], text)
