"""The assistants that are asked, and how the stub plays each."""

PACED_DELTAS = 250
PACE = 50

SCRIPTS = {
    "plain": "deltas-200",
    "paced": f"deltas-{PACED_DELTAS}-pace-{PACE}",
    "silent": "deltas-1-silent-1",
    "endless": "deltas-10000000",
    "tools": "tools-2",
}
"""Slugs of instances, and the models that the stub knows what to make of."""

KEY = "sk-bench-{model}"
"""The key of each instance's callers."""


def upstream_model(slug: str) -> str:
    """Returns what an instance asks the stub for; bots are plain."""
    return SCRIPTS.get(slug, SCRIPTS["plain"])


def key_of(slug: str) -> str:
    """Returns the key of an instance's callers."""
    return KEY.format(model=slug)
