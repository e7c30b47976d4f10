"""The systemd unit of docs/deploy."""

import re
import subprocess
from pathlib import Path

from deployment.systemctl import parse_unit
from polyant.cli.server import _SECONDS_TO_CLOSE
from polyant.settings import Settings
from support.proxies import DEPLOY, adapted, program, requires

UNIT = parse_unit((DEPLOY / "polyant.service").read_text())
MAX_EXPOSURE = 2.0


@requires("systemd-analyze")
def test_systemd_accepts_every_setting(tmp_path: Path) -> None:
    file = tmp_path / "polyant.service"
    file.write_text(adapted("polyant.service", {"/opt/polyant/.venv/bin/polyant": "/bin/true"}))
    done = subprocess.run([program("systemd-analyze"), "verify", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@requires("systemd-analyze")
def test_service_is_restricted() -> None:
    file = str(DEPLOY / "polyant.service")
    command = [program("systemd-analyze"), "security", "--offline=true", "--no-pager", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    exposure = re.search(r"Overall exposure level for polyant\.service: ([\d.]+)", done.stdout)
    assert exposure, done.stderr
    assert float(exposure[1]) < MAX_EXPOSURE


def test_service_is_killed_only_after_the_server_had_its_time() -> None:
    (seconds,) = UNIT["TimeoutStopSec"]
    assert int(seconds) > Settings().shutdown_seconds + _SECONDS_TO_CLOSE


def test_open_files_suffice_for_the_default_number_of_turns() -> None:
    (files,) = UNIT["LimitNOFILE"]
    assert int(files) > 2 * Settings().max_concurrent_turns
