"""Checks docs/api.md and docs/operations/monitoring.md against the code: example, routes, actions, turns, metrics."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from polyant.adapters.prometheus import channel_metrics, turn_observer
from polyant.domain import use_cases
from polyant.http import prometheus
from polyant.http.app import describe
from support.patience import PATIENCE
from support.process import environment, serving

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "api.md").read_text()
MONITORING = (ROOT / "docs" / "operations" / "monitoring.md").read_text()


def section(page: str, heading: str) -> str:
    """Returns the text under a heading."""
    found = re.search(rf"(?ms)^## {heading}\n(.*?)(?=^## |\Z)", page)
    assert found
    return found[1]


def first_cells(text: str) -> list[str]:
    """Returns the first cell of each table row that begins with code."""
    return re.findall(r"(?m)^\| `([^`]+)` \|", text)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl and jq aren't installed")
def test_example_works_as_printed(tmp_path: Path) -> None:
    code = section(PAGE, "Management API").partition("```sh\n")[2].partition("```")[0]
    with serving(tmp_path) as server:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code.replace("http://localhost:4000", server.url)],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    instance, prompts, tools, answer = objects_in(done.stdout)
    assert instance["instance"]["slug"] == "support"
    assert prompts["prompts"][0]["content"] == "You are Ada, who answers customers."
    assert [tool["name"] for tool in tools["tools"] if tool["enabled"]] == ["calculate"]
    assert "You said: Hello!" in answer["choices"][0]["message"]["content"]


def objects_in(text: str) -> Iterator[Any]:
    """Yields each of several concatenated JSON objects."""
    while text:
        found, end = json.JSONDecoder().raw_decode(text)
        yield found
        text = text[end:].lstrip()


def test_table_lists_all_routes() -> None:
    paths = describe().document["paths"]
    routes = [f"{method.upper()} {path}" for path in paths if path.startswith("/api/") for method in paths[path]]
    assert sorted(first_cells(section(PAGE, "Routes"))) == sorted(routes)


def test_table_lists_all_audit_actions() -> None:
    folder = Path(str(use_cases.__path__[0]))
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    subjects = (
        *("instance", "prompts", "secret", "key", "master_key", "mcp_servers", "skill", "channel", "user", "session"),
        *("backup", "history", "conversation"),
    )
    actions = set(re.findall(rf'"((?:{"|".join(subjects)})\.[a-z_]+)"', source))
    table = section(PAGE, "Audit log").partition("| action |")[2]
    assert sorted(first_cells(table)) == sorted(actions)


def test_page_and_openapi_describe_unfinished_turns_in_the_same_words() -> None:
    known = "steps and tokens are those up to its last finished model call"
    assert known in " ".join(section(PAGE, "Turns").split())
    assert known in " ".join(describe().document["components"]["schemas"]["TurnOut"]["description"].split())


def test_table_lists_all_metrics() -> None:
    prometheus.PrometheusMetrics()  # the modules register their metrics
    turn_observer.PrometheusTurnObserver(tools={})
    channel_metrics.PrometheusChannelMetrics()
    families = [family for family in REGISTRY.collect() if family.name.startswith("polyant_")]
    names = [f"{family.name}_total" if family.type == "counter" else family.name for family in families]
    assert sorted(first_cells(section(MONITORING, "Metrics"))) == sorted(names)
