"""Schemathesis against a live server: what the OpenAPI document says and what the server does are the same."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.process import environment, serving

HERE = Path(__file__).parent
AUTH_SECRET = "a secret of the tests that is long enough"


@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """All its checks but the one that wants 405 for a wrong method, which is 404 here by design."""
    database = f"sqlite:///{tmp_path}/polyant.db"
    # No provider but the built-in one: made-up instances and keys must not be sent to any vendor.
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
    assert int(tried[1]) > 1_500, "it hardly tried anything"
    assert "unexpected failure" not in log
