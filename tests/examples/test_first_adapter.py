"""The tutorial runs as printed, in an empty folder, with nothing but the built wheel."""

import os
import re
import socket
from pathlib import Path

import pytest

from examples.environment import ROOT, Environment
from support.patience import seconds
from support.process import run

PAGE = ROOT / "docs" / "adapters" / "first-adapter.md"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.timeout(900)
def test_tutorial_runs_as_printed(environment: Environment, tmp_path: Path) -> None:
    printed = "".join(re.findall(r"(?ms)^```sh\n(.*?)^```$", PAGE.read_text()))
    port = free_port()
    script = printed.replace("localhost:4000", f"127.0.0.1:{port}").replace("serve &", f"serve --port {port} &")
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "VIRTUAL_ENV"))}
    index = {"UV_FIND_LINKS": str(environment.folder), "UV_CONSTRAINT": str(environment.constraints)}
    limit = seconds(300)  # it makes an environment, and runs a contract and mypy
    done = run(tmp_path, ("bash", "-ec", script), limit, **{**given, **index, "POLYANT_HOME": "data"})
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.count("refused\n") == 1
    assert re.search(r"rate_limiter +weekend +polyant-weekend +0\.1\.0 +yes", done.stdout)
    assert "rate_limiter weekend: has valid settings: POLYANT_WEEKEND_MAX_KEYS" in done.stdout
    assert re.findall(r"^(\d{3})$", done.stdout, re.MULTILINE) == ["200", "200", "429"]
