"""What a person at a terminal is asked."""

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
    """A person's side of a terminal in which a command runs."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._side, other = pty.openpty()
        command = [*POLYANT, *arguments]
        self._process = launching.start(
            command, cwd=folder, env=environment(folder), stdin=other, stdout=other, stderr=other
        )
        os.close(other)
        self.seen = ""

    def wait_for(self, text: str) -> None:
        """Returns once the text was written, and the command waits for what is typed."""
        while text not in self.seen:
            read = self._read()
            assert read, self.seen
            self.seen += read
        # What is typed between the question and the wait for its answer may be lost, Ctrl-C above all.
        eventually(self._process.state, "S")

    def type(self, text: str) -> None:
        os.write(self._side, text.encode())

    def wait(self) -> int:
        while read := self._read():
            self.seen += read
        return self._process.wait()

    def close(self) -> None:
        """Hangs up, which ends a command that still runs."""
        os.close(self._side)
        self._process.wait()

    def _read(self) -> str:
        try:
            return os.read(self._side, 4096).decode()
        except OSError:  # how Linux says that the other side is closed
            return ""


Open = Callable[..., Terminal]


@pytest.fixture
def terminal_of(home: Path) -> Iterator[Open]:
    """Opens a terminal in which a command runs on data of this test's own."""
    with ExitStack() as stack:

        def open_terminal(*arguments: str) -> Terminal:
            terminal = Terminal(home.parent, *arguments)
            stack.callback(terminal.close)
            return terminal

        yield open_terminal


def test_value_is_asked_for_and_not_shown(polyant: Polyant, terminal_of: Open) -> None:
    terminal = terminal_of("secrets", "set", "demo-bot", "auth_api_key")
    terminal.wait_for("Value of auth_api_key: ")
    terminal.type(f"{VALUE}\n")
    assert terminal.wait() == 0
    assert "Stored auth_api_key of demo-bot" in terminal.seen
    assert VALUE not in terminal.seen
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["hasAuthKey"] is True


@pytest.mark.parametrize("typed", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_question_can_be_left(polyant: Polyant, terminal_of: Open, typed: str) -> None:
    terminal = terminal_of("secrets", "set", "demo-bot", "auth_api_key")
    terminal.wait_for("Value of auth_api_key: ")
    terminal.type(typed)
    assert terminal.wait() == 130
    assert "Traceback" not in terminal.seen
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["hasAuthKey"] is False


@pytest.mark.parametrize("typed, code", [("demo-bot\n", 0), ("yes\n", 1)])
def test_deleting_is_confirmed_with_the_slug(polyant: Polyant, terminal_of: Open, typed: str, code: int) -> None:
    terminal = terminal_of("instances", "delete", "demo-bot")
    terminal.wait_for("Type its slug to confirm: ")
    terminal.type(typed)
    assert terminal.wait() == code
    assert polyant("instances", "show", "demo-bot").code == (0 if code else 4)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("create", "eve@example.com"), "Created eve@example.com."),
        (("set-password", "admin@localhost"), "Set the password of admin@localhost."),
    ],
)
def test_password_is_asked_for_and_not_shown(terminal_of: Open, arguments: tuple[str, ...], says: str) -> None:
    terminal = terminal_of("users", *arguments)
    terminal.wait_for("Password: ")
    terminal.type(f"{VALUE}\n")
    assert terminal.wait() == 0
    assert says in terminal.seen
    assert VALUE not in terminal.seen


@pytest.mark.parametrize(
    "arguments, code", [(("create", "ADMIN@localhost"), 5), (("set-password", "nobody@example.com"), 4)]
)
def test_no_password_is_asked_for_in_vain(terminal_of: Open, arguments: tuple[str, ...], code: int) -> None:
    terminal = terminal_of("users", *arguments)
    assert terminal.wait() == code
    assert "Password" not in terminal.seen


def test_nobody_is_asked_about_what_is_not_there(terminal_of: Open) -> None:
    terminal = terminal_of("secrets", "set", "nobody", "auth_api_key")
    assert terminal.wait() == 4
    assert "Value of" not in terminal.seen
