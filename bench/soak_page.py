"""The soak's part of the performance page: a table of its figures, and a diagram."""

import re

from bench.report import PAGE
from bench.soak_plot import draw
from bench.soak_report import Report, findings

_MARKS = re.compile(r"(?s)(<!-- soak -->\n).*?(<!-- /soak -->)")


def write_page(report: Report) -> None:
    """Replaces the table between the page's marks, and the diagram in the page's folder."""
    draw(report, PAGE.with_name("soak.svg"))
    text, written = _MARKS.subn(lambda found: f"{found[1]}{_markdown(report)}\n{found[2]}", PAGE.read_text())
    if not written:
        raise SystemExit(f"soak: {PAGE.name} has no <!-- soak --> … <!-- /soak -->")
    PAGE.write_text(text)


def _markdown(report: Report) -> str:
    provenance = (
        f"`just soak --write-docs` at {report.commit} on {report.begun_at[:10]}: {report.machine}; "
        f"{report.minutes:g} minutes at {report.rate:g} requests per second."
    )
    rows = [f"| {found.name} | {found.figure} | {found.verdict} |" for found in findings(report)]
    return "\n".join([provenance, "", "| check | result | |", "|---|---|---|", *rows])
