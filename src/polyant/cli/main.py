"""Parses the command line, runs the command and maps errors to messages and exit codes."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NoReturn

from polyant import __version__, logs
from polyant.arguments import WiringError
from polyant.cli import (
    adapters,
    backup,
    channels,
    conversations,
    instances,
    keys,
    mcp,
    migrate,
    restore,
    secrets,
    serve,
    skills,
    users,
)
from polyant.cli.doctor import command as doctor
from polyant.cli.help import EPILOG
from polyant.cli.terminal import escaped_terminal
from polyant.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PolyantError,
    PreconditionFailedError,
    ReadOnlyError,
    UnavailableError,
    UnknownInstanceError,
    UnknownUserError,
)
from polyant.settings import LogFormat, SettingsError

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_UNUSABLE = 3
EXIT_NOT_FOUND = 4
EXIT_CONFLICT = 5
EXIT_READ_ONLY = 6
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs one command and exits with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    parsed = build_parser(error_format_of(given, os.environ)).parse_args(given)
    with nullcontext() if _is_serve(given) else escaped_terminal():
        code = _run(parsed, given)
    raise SystemExit(code or 0)


def _run(parsed: argparse.Namespace, given: Sequence[str]) -> int | None:
    try:
        if not _is_serve(given):  # its values are those of environment variables, such as paths
            _require_text(parsed)
        code: int | None = parsed.run(parsed, os.environ)
        sys.stdout.flush()
    except (KeyboardInterrupt, EOFError):  # EOFError: end of input at a prompt
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe. Without the redirection, Python's flush at exit would fail, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except (PolyantError, WiringError, SettingsError) as error:
        logs.write_errors(_text_of(error), error_format_of(given, os.environ))
        return exit_code_of(error)
    return code


def _is_serve(given: Sequence[str]) -> bool:
    return given[:1] == ["serve"]


def _require_text(parsed: argparse.Namespace) -> None:
    """Returns if every argument is text; a Path may have any bytes.

    Raises:
        InvalidInputError: An argument has bytes that aren't UTF-8, which neither a database nor a provider takes.
    """
    for name, value in vars(parsed).items():
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and not _is_utf8(text) for text in texts):
            raise InvalidInputError(f"{name.upper()} must be text in UTF-8")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text_of(error: Exception) -> str:
    """Returns the text of an error, which names the instance or the user that the command was given."""
    match error:
        case UnknownInstanceError(slug=str(slug)):
            return f'Unknown instance "{slug}". Run `polyant instances list` to see the existing ones'
        case UnknownUserError(user=str(user)):
            return f'Unknown user "{user}". Run `polyant users list` to see the existing ones'
        case PolyantError():
            return error.explanation
        case _:
            return str(error)


def exit_code_of(error: Exception) -> int:
    """Returns the exit code for an error."""
    match error:
        case SettingsError() | WiringError() | UnavailableError():
            return EXIT_UNUSABLE
        case InvalidInputError():
            return EXIT_USAGE
        case NotFoundError():
            return EXIT_NOT_FOUND
        case ReadOnlyError():
            return EXIT_READ_ONLY
        case ConflictError() | PreconditionFailedError():
            return EXIT_CONFLICT
        case _:
            return EXIT_FAILURE


def error_format_of(arguments: Sequence[str], environ: Mapping[str, str]) -> LogFormat:
    """Returns the format of errors: that of the log for the server, text for all other commands."""
    if not arguments or arguments[0] != "serve":
        return LogFormat.TEXT
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--log-format")
    try:
        option = parser.parse_known_args(arguments)[0].log_format
    except argparse.ArgumentError:  # the option has no value
        option = None
    return logs.format_in(environ if option is None else {"LOG_FORMAT": option})


class _Parser(argparse.ArgumentParser):
    """A parser that reports usage errors in the format of the log."""

    error_format = LogFormat.TEXT

    def error(self, message: str) -> NoReturn:
        """Reports the error and exits."""
        if self.error_format is LogFormat.JSON:
            logs.write_errors(f"{self.prog}: {message}", self.error_format)
            raise SystemExit(EXIT_USAGE)
        super().error(message)


def build_parser(error_format: LogFormat = LogFormat.TEXT) -> argparse.ArgumentParser:
    """Returns the parser of the whole command line.

    Args:
        error_format: The format of usage errors.
    """
    kind = type("Parser", (_Parser,), {"error_format": error_format})  # argparse creates the parsers of commands itself
    parser: argparse.ArgumentParser = kind(
        prog="polyant",
        description="Serve configured AI assistants as models of an OpenAI-compatible API.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"polyant {__version__}")
    commands: Any = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        serve,
        migrate,
        instances,
        secrets,
        keys,
        mcp,
        channels,
        skills,
        conversations,
        users,
        adapters,
        backup,
        restore,
        doctor,
    ):
        command.add_to(commands)
    return parser
