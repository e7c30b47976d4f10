"""Interactive prompts at a terminal."""

import os
import pty
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support import launching
from support.commands import Polyant
from support.process import POLYANT, environment, eventually

VALUE = "sk-typed-by-a-person"


class Terminal:
    """The user's side of a terminal in which a command runs."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._side, other = pty.openpty()
        command = [*POLYANT, *arguments]
        self._process = launching.start(
            command, cwd=folder, env=environment(folder), stdin=other, stdout=other, stderr=other
        )
        os.close(other)
        self.seen = ""

    def wait_for(self, text: str) -> None:
        """Returns when the text has been written and the command waits for input."""
        while text not in self.seen:
            read = self._read()
            assert read, self.seen
            self.seen += read
        # Input between the prompt and the wait may be lost, especially Ctrl-C.
        eventually(self._process.state, "S")

    def type(self, text: str) -> None:
        os.write(self._side, text.encode())

    def wait(self) -> int:
        while read := self._read():
            self.seen += read
        return self._process.wait()

    def close(self) -> None:
        """Closes the terminal, which ends a command that is still running."""
        os.close(self._side)
        self._process.wait()

    def _read(self) -> str:
        try:
            return os.read(self._side, 4096).decode()
        except OSError:  # Linux reports the closed other side like this
            return ""


Open = Callable[..., Terminal]


@pytest.fixture
def terminal_of(home: Path) -> Iterator[Open]:
    """Opens a terminal in which a command runs on this test's data."""
    with ExitStack() as stack:

        def open_terminal(*arguments: str) -> Terminal:
            terminal = Terminal(home.parent, *arguments)
            stack.callback(terminal.close)
            return terminal

        yield open_terminal


def test_value_is_prompted_for_and_not_shown(polyant: Polyant, terminal_of: Open) -> None:
    terminal = terminal_of("secrets", "set", "demo-bot", "auth_api_key")
    terminal.wait_for("Value of auth_api_key: ")
    terminal.type(f"{VALUE}\n")
    assert terminal.wait() == 0
    assert "Stored auth_api_key of demo-bot" in terminal.seen
    assert VALUE not in terminal.seen
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["hasAuthKey"] is True


@pytest.mark.parametrize("typed", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_prompt_can_be_cancelled(polyant: Polyant, terminal_of: Open, typed: str) -> None:
    terminal = terminal_of("secrets", "set", "demo-bot", "auth_api_key")
    terminal.wait_for("Value of auth_api_key: ")
    terminal.type(typed)
    assert terminal.wait() == 130
    assert "Traceback" not in terminal.seen
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["hasAuthKey"] is False


@pytest.mark.parametrize("typed, code", [("demo-bot\n", 0), ("yes\n", 1)])
def test_deletion_is_confirmed_with_the_slug(polyant: Polyant, terminal_of: Open, typed: str, code: int) -> None:
    terminal = terminal_of("instances", "delete", "demo-bot")
    terminal.wait_for("Type its slug to confirm: ")
    terminal.type(typed)
    assert terminal.wait() == code
    assert polyant("instances", "show", "demo-bot").code == (0 if code else 4)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("create", "eve@example.com"), "Created eve@example.com."),
        (("set-password", "admin@localhost"), "Set the password of admin@localhost."),
    ],
)
def test_password_is_prompted_for_and_not_shown(terminal_of: Open, arguments: tuple[str, ...], message: str) -> None:
    terminal = terminal_of("users", *arguments)
    terminal.wait_for("Password: ")
    terminal.type(f"{VALUE}\n")
    assert terminal.wait() == 0
    assert message in terminal.seen
    assert VALUE not in terminal.seen


@pytest.mark.parametrize(
    "arguments, code", [(("create", "ADMIN@localhost"), 5), (("set-password", "nobody@example.com"), 4)]
)
def test_password_is_not_prompted_for_if_the_command_would_fail(
    terminal_of: Open, arguments: tuple[str, ...], code: int
) -> None:
    terminal = terminal_of("users", *arguments)
    assert terminal.wait() == code
    assert "Password" not in terminal.seen


def test_deletion_of_an_unknown_instance_shows_no_prompt(terminal_of: Open) -> None:
    terminal = terminal_of("secrets", "set", "nobody", "auth_api_key")
    assert terminal.wait() == 4
    assert "Value of" not in terminal.seen
