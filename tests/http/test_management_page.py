"""docs/management-api.md, held against the program: routes, actions and metrics."""

import re
from pathlib import Path

from prometheus_client import REGISTRY

from polyant.domain import use_cases
from polyant.http import prometheus
from polyant.http.app import describe

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "management-api.md").read_text()


def first_cells(heading: str) -> list[str]:
    """Returns the first cell of each row under a heading."""
    found = re.search(rf"(?ms)^## {heading}\n(.*?)(?=^## |\Z)", PAGE)
    assert found
    return re.findall(r"(?m)^\| `([^`]+)` \|", found[1])


def test_routes_are_those_of_the_table() -> None:
    paths = describe().document["paths"]
    routes = [f"{method.upper()} {path}" for path in paths if path.startswith("/api/") for method in paths[path]]
    assert sorted(first_cells("Routes")) == sorted(routes)


def test_actions_of_the_trail_are_those_of_the_table() -> None:
    folder = Path(str(use_cases.__path__[0]))
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    actions = set(re.findall(r'"((?:instance|prompts|secret|key|mcp_servers|user|session)\.[a-z]+)"', source))
    assert sorted(first_cells("The audit trail")) == sorted(actions)


def test_metrics_are_those_of_the_table() -> None:
    prometheus.PrometheusMetrics(())  # which has registered them by then
    families = [family for family in REGISTRY.collect() if family.name.startswith("polyant_")]
    names = [f"{family.name}_total" if family.type == "counter" else family.name for family in families]
    assert sorted(first_cells("Metrics")) == sorted(names)
