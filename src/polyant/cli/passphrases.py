"""Reads the passphrase of a backup; never from the command line, which other users can read."""

import argparse
import getpass
import sys
from pathlib import Path

from polyant.cli.secrets import read_value
from polyant.domain.backups import check_passphrase
from polyant.domain.errors import InvalidInputError
from polyant.domain.secrets import SecretText


def add_option(parser: argparse.ArgumentParser) -> None:
    """Adds the option that names the passphrase's file."""
    parser.add_argument(
        "--passphrase-file",
        metavar="PATH",
        type=Path,
        help="file that contains the passphrase [default: a prompt, or standard input]",
    )


def read_new_passphrase(file: Path | None) -> SecretText:
    """Returns a passphrase for a new backup; at a prompt, it must be typed twice.

    Raises:
        InvalidInputError: The passphrase is too short, or the two differ, or the file can't be read.
    """
    text = check_passphrase(_read(file))
    if file is None and sys.stdin.isatty() and getpass.getpass("Passphrase again: ") != text:
        raise InvalidInputError("The two passphrases differ")
    return SecretText(text)


def read_passphrase(file: Path | None) -> SecretText:
    """Returns the passphrase of an existing backup.

    Raises:
        InvalidInputError: The passphrase is empty, or the file can't be read.
    """
    text = _read(file)
    if not text:
        raise InvalidInputError("The passphrase is empty")
    return SecretText(text)


def _read(file: Path | None) -> str:
    if file is None:
        return read_value("Passphrase of the backup: ")
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise InvalidInputError(f"--passphrase-file: can't read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInputError(f"--passphrase-file: {file} is not valid UTF-8") from None
