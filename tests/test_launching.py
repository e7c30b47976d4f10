"""Processes started by tests end with the test process, even if it is killed."""

import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from support import launching, patience
from support.mounts import require_mounts, with_small_disk
from support.process import EXECUTED, POLYANT, UVICORN, environment, eventually, run

ROOT = Path(__file__).parent.parent
HANGS = """
import pathlib, threading
from support.launching import temporary_folder
from polyant.testing.mcp_server import mcp_server_process
from support.postgres import running_server
from support.process import serving

def test_that_hangs(tmp_path):
    with (
        temporary_folder("polyant-hangs-") as folder,
        running_server() as postgres,
        mcp_server_process() as mcp,
        serving(tmp_path, "--workers", "2") as server,
    ):
        started = (server.url, mcp.url, postgres.url_of("postgres").partition("host=")[2], folder)
        pathlib.Path("started.part").write_text("\\n".join(map(str, started)))
        pathlib.Path("started.part").rename("started")
        threading.Event().wait()
"""

COMMANDS = (("--version",), ("instances", "list"), ("no-such-command",), ("users", "create", "nobody"))
LIMIT = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
CODE = "import sys; print(sys.argv, __name__, sys.stdin.read()); sys.exit(5)"


def answers(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


@pytest.mark.parametrize("processes", ["0", "1"])
def test_killed_test_process_leaves_no_servers_or_folders(tmp_path: Path, processes: str) -> None:
    (tmp_path / "test_hangs.py").write_text(HANGS)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        ROOT / "pyproject.toml",
        "-n",
        processes,
        "test_hangs.py",
    ]
    variables = {"PYTHONPATH": str(ROOT / "tests"), patience.VARIABLE: str(patience.factor())}
    with (tmp_path / "printed.txt").open("w") as printed:
        pytest_process = launching.start(
            command, cwd=tmp_path, env=environment(tmp_path, **variables), stdout=printed, stderr=printed
        )
    started = tmp_path / "started"
    eventually(lambda: started.exists() or pytest_process.poll(), expected=True)
    *urls, data, folder = started.read_text().splitlines()
    assert [answers(url) for url in urls] == [True, True]
    assert Path(data).exists()
    assert Path(folder).exists()
    pytest_process.send_signal(signal.SIGKILL)
    assert pytest_process.wait() == -signal.SIGKILL
    eventually(lambda: [answers(url) for url in urls], expected=[False, False])
    eventually(lambda: Path(data).exists() or Path(folder).exists(), expected=False)


@pytest.mark.parametrize(
    "command",
    [
        *((*POLYANT, *arguments) for arguments in COMMANDS),
        (*UVICORN, "--no-such-option"),
        (sys.executable, "-c", CODE, "one", "two"),
        ("prlimit", "--nofile=99:100", sys.executable, "-c", LIMIT),
    ],
    ids=["version", "list", "unknown command", "create", "uvicorn", "code", "limit"],
)
def test_forked_python_behaves_like_an_executed_one(tmp_path: Path, command: tuple[str, ...]) -> None:
    variables = {"ENCRYPTION_KEY": "0f" * 32}
    forked, executed = (run(tmp_path, each, given="Grüße\n", **variables) for each in (command, (*EXECUTED, *command)))
    assert forked.args == command
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        executed.returncode,
        executed.stdout,
        executed.stderr,
    )


def test_fork_sees_the_file_system_that_is_mounted_for_it(tmp_path: Path) -> None:
    require_mounts()
    disk = tmp_path / "disk"
    disk.mkdir()
    code = "import os; print(os.statvfs('.').f_blocks * os.statvfs('.').f_frsize)"
    command = with_small_disk((sys.executable, "-c", code), disk, size="1m")
    forked, executed = (run(disk, each) for each in (command, (*EXECUTED, *command)))
    assert (forked.stdout, forked.stderr) == (executed.stdout, executed.stderr) == (f"{2**20}\n", "")
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "code"),
    [(["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -TERM $$"], -signal.SIGTERM), (["/no/such/program"], 1)],
)
def test_exit_code_is_returned(tmp_path: Path, command: list[str], code: int) -> None:
    with (tmp_path / "printed.txt").open("w") as printed:
        process = launching.start(command, cwd=tmp_path, env=os.environ, stdout=printed, stderr=printed)
        assert process.wait() == code
    assert process.poll() == code


def test_limits_scale_with_the_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(patience.VARIABLE, "2.5")
    assert patience.seconds(4) == 10


def test_factor_is_measured_once_and_passed_on_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[float] = []

    def measure() -> float:
        measured.append(3.0)
        return 3.0

    monkeypatch.delenv(patience.VARIABLE)
    monkeypatch.setattr(patience, "_measure", measure)
    assert (patience.factor(), patience.factor(), len(measured)) == (3.0, 3.0, 1)
    assert os.environ[patience.VARIABLE] == "3.00"
