"""The instances that are called, and the stub's script for each."""

PACED_DELTAS = 250
PACE = 50

SCRIPTS = {
    "plain": "deltas-200",
    "paced": f"deltas-{PACED_DELTAS}-pace-{PACE}",
    "silent": "deltas-1-silent-1",
    "endless": "deltas-10000000",
    "tools": "tools-2",
}
"""The slugs of instances, and the stub's model for each."""

KEY = "sk-bench-{model}"
"""The API key of each instance."""


def upstream_model(slug: str) -> str:
    """Returns the stub's model for an instance; generated bots use that of `plain`."""
    return SCRIPTS.get(slug, SCRIPTS["plain"])


def key_of(slug: str) -> str:
    """Returns the API key of an instance."""
    return KEY.format(model=slug)
