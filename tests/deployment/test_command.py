"""The command of docs/deploy that runs polyant with the environment of the service."""

import os
import subprocess
from pathlib import Path

import pytest

from deployment.systemctl import parse_environment
from support.process import environment
from support.proxies import adapted

SECRET = "the-secret-value"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the command requires root")


def run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Returns the result of the command, which prints the value of A instead of running polyant as another user."""
    file = folder / "environment"
    file.write_text(text)
    replacements = {
        "/etc/polyant/environment": str(file),
        "/var/lib/polyant": str(folder),
        'exec runuser --user polyant -- /opt/polyant/.venv/bin/polyant "$@"': "exec printenv A",
    }
    command = ["sh", "-c", adapted("polyant", replacements)]
    return subprocess.run(command, env=environment(folder), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("line", ["A='a$HOME-$$-`id`-$(id)'", "A='a\\b\"c # d'", "A=plain-1.2:3/4@5%20", "A=''", "A="])
def test_command_reads_values_as_systemd_does(tmp_path: Path, line: str) -> None:
    text = f"# a comment\n\n{line}\nB='1'\n"
    assert run(tmp_path, text).stdout == f"{parse_environment(text)['A']}\n"


@pytest.mark.parametrize(
    "line",
    [
        f"A={SECRET}$HOME",
        f'A="{SECRET}"',
        f"A={SECRET}\\n",
        f"A='{SECRET}'\\''x'",
        f"A=~{SECRET}",
        f"A={SECRET} b",
        "export A",
    ],
)
def test_value_that_a_shell_reads_differently_is_refused_without_showing_it(tmp_path: Path, line: str) -> None:
    done = run(tmp_path, f"B=1\n{line}\n")
    assert done.returncode == 3
    assert "environment, line 2: write NAME='value'" in done.stderr
    assert SECRET not in done.stdout + done.stderr
