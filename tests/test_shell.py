"""Scripts run `polyant` in forks as a shell runs any command."""

import subprocess
from pathlib import Path

from support.process import environment
from support.shell import polyant_command


def run(script: str, folder: Path, *, given: str = "") -> subprocess.CompletedProcess[str]:
    with polyant_command() as polyant:
        return subprocess.run(
            ["bash", "-c", script.replace("{polyant}", polyant)],
            cwd=folder,
            env=environment(folder, ENCRYPTION_KEY="0f" * 32),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )


def test_folder_streams_and_environment_are_the_script_s(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    done = run(
        "cd inner && {polyant} migrate && EMPTY= {polyant} secrets set demo-bot crm_token && "
        "LOG_FORMAT=text {polyant} instances show demo-bot | grep slug",
        tmp_path,
        given="a value",
    )
    assert done.returncode == 0, done.stderr
    assert "Stored crm_token of demo-bot" in done.stdout
    assert done.stdout.endswith("demo-bot\n")
    assert (tmp_path / "inner" / ".polyant" / "polyant.db").exists()


def test_exit_code_and_errors_are_the_command_s(tmp_path: Path) -> None:
    done = run("{polyant} no-such-command '' 'two words'", tmp_path)
    assert done.returncode == 2
    assert "invalid choice: 'no-such-command'" in done.stderr
