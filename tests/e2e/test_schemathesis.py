"""Schemathesis against a live server: the server behaves as the OpenAPI document describes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.process import environment, serving

HERE = Path(__file__).parent
AUTH_SECRET = "a secret of the tests that is long enough"


@pytest.mark.timeout(300)
def test_schemathesis_finds_no_failure(tmp_path: Path) -> None:
    """Runs all checks except for the one that expects 405 for a wrong method, which is 404 here by design."""
    database = f"sqlite:///{tmp_path}/polyant.db"
    # Only the built-in provider: generated instances and keys must not be sent to a real one.
    alone = {"CHAT_MODELS": "scripted", "TRUST_PROXY": "1", "RATE_LIMIT": "off"}
    with serving(tmp_path, AUTH_SECRET=AUTH_SECRET, DATABASE_URL=database, **alone) as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
                *("run", f"{server.url}/api/openapi.json", "--checks", "all", "--exclude-checks", "unsupported_method"),
                *("--seed", "1", "--max-examples", "5", "--no-color"),
            ],
            cwd=tmp_path,
            env=environment(
                tmp_path,
                AUTH_SECRET=AUTH_SECRET,
                DATABASE_URL=database,
                PYTHONPATH=str(HERE.parent),
                SCHEMATHESIS_HOOKS="support.schemathesis_hooks",
            ),
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        log = server.stderr.text
    assert done.returncode == 0, done.stdout + done.stderr
    tried = re.search(r"(\d+) generated, \1 passed", done.stdout)
    assert tried
    assert int(tried[1]) > 1_500, "it generated too few cases"
    assert "unexpected failure" not in log
