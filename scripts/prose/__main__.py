"""Checks the project's language; `just lint` runs it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.prose.glossary import violations
from scripts.prose.markdown import texts_of_markdown
from scripts.prose.python import texts_of_python
from scripts.prose.templates import texts_of_script, texts_of_template
from scripts.prose.texts import Finding, Text

ROOT = Path(__file__).parent.parent.parent


def findings(root: Path) -> Iterator[Finding]:
    """Yields all violations in the pages, modules and templates of a project."""
    for path, texts in _texts_of(root):
        for text in texts:
            yield from (Finding(path.relative_to(root), text.line, *found) for found in violations(text))


def _texts_of(root: Path) -> Iterator[tuple[Path, Iterable[Text]]]:
    """Yields each file that people read with its texts."""
    for path in [*sorted(root.glob("*.md")), *_files(root, "md", "docs", "examples")]:
        yield path, texts_of_markdown(path.read_text())
    for path in _files(root, "py", "src", "tests", "bench", "scripts", "examples"):
        yield path, texts_of_python(path.read_text(), messages=path.is_relative_to(root / "src"))
    for path in _files(root, "html", "src"):
        yield path, texts_of_template(path.read_text())
    for path in _files(root, "js", "src"):
        yield path, texts_of_script(path.read_text())


def _files(root: Path, suffix: str, *folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((root / folder).rglob(f"*.{suffix}"))


def main() -> int:
    """Prints the findings and returns the exit code."""
    found = list(findings(ROOT))
    for finding in found:
        print(f"{finding.path}:{finding.line}: “{finding.found}”: write {finding.instead}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
