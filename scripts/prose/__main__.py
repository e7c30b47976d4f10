"""Checks the project's language; `just lint` runs it. `--all` also prints the findings that are still allowed."""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scripts.prose.glossary import violations
from scripts.prose.markdown import texts_of_markdown
from scripts.prose.python import texts_of_python
from scripts.prose.texts import Finding

ROOT = Path(__file__).parent.parent.parent

ALLOWED: Mapping[str, int] = {
    "src/polyant/domain": 150,
    "src/polyant/adapters": 150,
    "src/polyant/http": 150,
    "src/polyant/cli": 150,
    "src/polyant/testing": 150,
    "src": 150,
    "tests": 150,
    "bench": 150,
}
"""The number of findings that an area may still have. Lower a number whenever you can; never raise one."""

AREAS = (
    *("src/polyant/domain", "src/polyant/adapters", "src/polyant/http", "src/polyant/cli", "src/polyant/testing"),
    *("src", "tests", "bench", "scripts", "pages"),
)
"""The areas, by folder; a file belongs to the first one that contains it. `pages` are all Markdown files."""


def findings(root: Path) -> Iterator[Finding]:
    """Yields all violations in the Markdown pages and Python modules of a project."""
    for path in [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]:
        for text in texts_of_markdown(path.read_text()):
            yield from (Finding(path.relative_to(root), text.line, *found) for found in violations(text))
    for folder in ("src", "tests", "bench", "scripts"):
        for path in sorted((root / folder).rglob("*.py")):
            for text in texts_of_python(path.read_text(), messages=folder == "src"):
                yield from (Finding(path.relative_to(root), text.line, *found) for found in violations(text))


def area_of(path: Path) -> str:
    """Returns the area of a file."""
    if path.suffix == ".md":
        return "pages"
    return next(area for area in AREAS if path.is_relative_to(area))


def main(arguments: Sequence[str]) -> int:
    """Prints the findings of each area with too many of them, and returns the exit code."""
    by_area = defaultdict[str, list[Finding]](list)
    for finding in findings(ROOT):
        by_area[area_of(finding.path)].append(finding)
    too_many = {area for area, found in by_area.items() if len(found) > ALLOWED.get(area, 0)}
    for area in AREAS:
        if area in too_many or "--all" in arguments:
            for finding in by_area[area]:
                print(f"{finding.path}:{finding.line}: “{finding.found}”: write {finding.instead}")
    for area in sorted(too_many):
        print(f"prose: {area} has {len(by_area[area])} findings, {ALLOWED.get(area, 0)} allowed", file=sys.stderr)
    for area, allowed in ALLOWED.items():
        if len(by_area[area]) < allowed:
            print(f"prose: lower ALLOWED[{area!r}] from {allowed} to {len(by_area[area])}", file=sys.stderr)
    return 1 if too_many else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
