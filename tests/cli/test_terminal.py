"""Texts of strangers can't control an operator's terminal."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from polyant.cli.output import print_table
from polyant.cli.terminal import TerminalStream, escaped_terminal, unescaped, visible
from support.commands import Polyant
from support.process import POLYANT, environment

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31mred\r\u202egpj.exe\x00"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\x9b31mred\r\u202egpj.exe\x00"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (HOSTILE, SHOWN),
        ("Line\r\nnext\n\ttab", "Line\nnext\n\ttab"),
        ("\u2028\u2069\x7f\x85", r"\u2028\u2069\x7f\x85"),
        ("Zoë 👩\u200d👧 \u200f\u05d0\u05d1", "Zoë 👩\u200d👧 \u200f\u05d0\u05d1"),
    ],
)
def test_control_characters_are_escaped_and_texts_stay_readable(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_output_to_a_terminal_is_escaped_within_the_block_only(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with escaped_terminal():
        sys.stdout.write(HOSTILE)
        sys.stderr.write(HOSTILE)
        unescaped(sys.stderr).write("\rbar")
    assert (out.getvalue(), err.getvalue()) == (SHOWN, f"{SHOWN}\rbar")
    assert (sys.stdout, sys.stderr) == (out, err)


def test_output_to_files_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with escaped_terminal():
        sys.stdout.write(HOSTILE)
        assert unescaped(sys.stdout) is out
    assert out.getvalue() == HOSTILE


def test_stream_describes_the_one_that_it_replaces(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w", encoding="latin-1", errors="replace") as file:
        stream = TerminalStream(file)
        assert (stream.encoding, stream.errors, stream.fileno()) == ("latin-1", "replace", file.fileno())
        assert (stream.isatty(), stream.writable(), stream.write("a\x1b")) == (True, True, 2)
        stream.flush()
        assert (tmp_path / "file").read_text() == r"a\x1b"


def test_cell_can_not_leave_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "STATE"), [("one\ntwo  ok\t\x1b[1A", None)])
    assert capsys.readouterr().out.splitlines() == ["NAME" + " " * 19 + "STATE", r"one\ntwo  ok\t\x1b[1A  -"]


def test_command_escapes_what_it_writes_to_a_terminal(polyant: Polyant, home: Path) -> None:
    instructions = HOSTILE.replace("\x00", "")
    polyant.succeed("skills", "set", "demo-bot", "hostile", "--description", "Never.", given=instructions)
    reader, writer = pty.openpty()
    done = subprocess.run(
        [*POLYANT, "skills", "show", "demo-bot", "hostile"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        cwd=home.parent,
        env=environment(home.parent),
    )
    os.close(writer)
    shown = os.read(reader, 65_536)
    os.close(reader)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\x1b]0;owned\x07" in shown
    assert b"\x1b" not in shown
