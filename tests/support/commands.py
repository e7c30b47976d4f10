"""The command line, run in the test process."""

import functools
import io
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from polyant.cli.main import build_parser, main

shared_parser = functools.cache(build_parser)
"""Returns the parser of the command line, built once: parsing doesn't change it, and building it takes 10 ms."""


@dataclass(frozen=True)
class Done:
    """The exit code and the output of a command."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.stdout)


class Polyant:
    """Runs commands in the test's environment."""

    def __init__(self, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._environ = environ
        self._capsys = capsys

    def __call__(self, *arguments: str, given: str | bytes = b"", **variables: str) -> Done:
        """Returns the result of a command.

        Args:
            *arguments: The command and its arguments.
            given: Standard input.
            **variables: Environment variables to set.
        """
        stdin = io.BytesIO(given.encode() if isinstance(given, str) else given)
        with self._environ.context() as context:
            context.setattr("sys.stdin", io.TextIOWrapper(stdin, encoding="utf-8"))
            context.setattr("polyant.cli.main.build_parser", shared_parser)
            for name, value in variables.items():
                context.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main(arguments)
        code = ended.value.code
        assert isinstance(code, int)
        captured = self._capsys.readouterr()
        return Done(code, captured.out, captured.err)

    def succeed(self, *arguments: str, given: str | bytes = b"", **variables: str) -> Done:
        done = self(*arguments, given=given, **variables)
        assert done.code == 0, done.stderr
        return done
