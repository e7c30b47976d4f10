"""Parses the command line, runs the command and maps errors to messages and exit codes."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from polyant import __version__
from polyant.arguments import WiringError
from polyant.cli import adapters, backup, instances, keys, mcp, migrate, restore, secrets, serve, users
from polyant.cli.doctor import command as doctor
from polyant.cli.help import EPILOG
from polyant.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PolyantError,
    PreconditionFailedError,
    UnavailableError,
)
from polyant.settings import SettingsError

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_UNUSABLE = 3
EXIT_NOT_FOUND = 4
EXIT_CONFLICT = 5
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs one command and exits with its code."""
    parsed = build_parser().parse_args(arguments)
    try:
        code = parsed.run(parsed, os.environ)
        sys.stdout.flush()
    except (KeyboardInterrupt, EOFError):  # EOFError: end of input at a prompt
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe. Without the redirection, Python's flush at exit would fail, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILURE
    except (PolyantError, WiringError, SettingsError) as error:
        text = error.explanation if isinstance(error, PolyantError) else str(error)
        for line in text.splitlines():
            print(f"polyant: {line}", file=sys.stderr)
        code = exit_code_of(error)
    raise SystemExit(code or 0)


def exit_code_of(error: Exception) -> int:
    """Returns the exit code for an error."""
    match error:
        case SettingsError() | WiringError() | UnavailableError():
            return EXIT_UNUSABLE
        case InvalidInputError():
            return EXIT_USAGE
        case NotFoundError():
            return EXIT_NOT_FOUND
        case ConflictError() | PreconditionFailedError():
            return EXIT_CONFLICT
        case _:
            return EXIT_FAILURE


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="polyant",
        description="Serve configured AI assistants as models of an OpenAI-compatible API.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"polyant {__version__}")
    commands: Any = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (serve, migrate, instances, secrets, keys, mcp, users, adapters, backup, restore, doctor):
        command.add_to(commands)
    return parser
