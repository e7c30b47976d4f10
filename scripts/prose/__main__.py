"""Checks the project's language; `just lint` runs it."""

from collections.abc import Iterator
from pathlib import Path

from scripts.prose.glossary import violations
from scripts.prose.markdown import texts_of_markdown
from scripts.prose.python import texts_of_python
from scripts.prose.texts import Finding

ROOT = Path(__file__).parent.parent.parent


def findings(root: Path) -> Iterator[Finding]:
    """Yields all violations in the Markdown pages and Python modules of a project."""
    for path in [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]:
        for text in texts_of_markdown(path.read_text()):
            yield from (Finding(path.relative_to(root), text.line, *found) for found in violations(text))
    for folder in ("src", "tests", "bench", "scripts"):
        for path in sorted((root / folder).rglob("*.py")):
            for text in texts_of_python(path.read_text(), messages=folder == "src"):
                yield from (Finding(path.relative_to(root), text.line, *found) for found in violations(text))


def main() -> int:
    """Prints the findings and returns the exit code."""
    found = list(findings(ROOT))
    for finding in found:
        print(f"{finding.path}:{finding.line}: “{finding.found}”: write {finding.instead}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
