"""The report of a run, as JSON, as a table for the terminal and as a table for a page."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from bench.figures import Figure
from bench.processes import ROOT

RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "operations" / "performance.md"
"""The page with the tables; the soak's diagram is in the same folder."""
_PACKAGES = ("polyant", "litestar", "uvicorn", "uvloop", "httptools", "aiohttp", "msgspec", "piccolo", "asyncpg")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one case."""

    case: str
    description: str
    figures: tuple[Figure, ...]
    failure: str | None = None
    """The error, if the case failed."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one run, and the conditions under which they were measured."""

    command: str
    taken_at: str
    commit: str
    machine: dict[str, Any]
    versions: dict[str, str]
    rounds: int
    seconds: float
    cases: list[Found]

    @property
    def missed(self) -> list[tuple[str, Figure]]:
        """The figures that miss their aim, each with its case."""
        return [(found.case, figure) for found in self.cases for figure in found.figures if figure.is_met is False]

    @property
    def failed(self) -> list[str]:
        """The cases that failed with an error."""
        return [found.case for found in self.cases if found.failure is not None]


def report_on(command: str, cases: list[Found], *, rounds: int, seconds: float, **versions: str) -> Report:
    """Returns the report of a run that has just finished, with the machine and commit."""
    return Report(
        command=command,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        machine=_machine(),
        versions={"python": platform.python_version()} | {name: version(name) for name in _PACKAGES} | versions,
        rounds=rounds,
        seconds=seconds,
        cases=cases,
    )


def save(report: Report) -> Path:
    """Writes the report to a new file and returns its path."""
    RESULTS.mkdir(exist_ok=True)
    name = re.sub(r"[^0-9]", "", report.taken_at.partition("+")[0])
    file = RESULTS / f"{name}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    return file


def lines_of(found: Found) -> list[str]:
    """Returns the terminal output for a case."""
    lines = [f"{found.case}: {found.description}"]
    for figure in found.figures:
        value, spread, aim, met = _cells(figure)
        lines.append(f"  {figure.name:<48}{value:>12}  {spread:<18}{aim:<12}{met}".rstrip())
    return lines if found.failure is None else [*lines, f"  {found.failure}"]


def markdown(report: Report) -> str:
    """Returns the report as Markdown."""
    rows = ["| case | figure | median | lowest to highest | aim | |", "|---|---|---:|---|---|---|"]
    for found in report.cases:
        for number, figure in enumerate(found.figures):
            case = "" if number else f"**{found.case}**: {found.description.rstrip('.')}"
            rows.append(f"| {case} | {figure.name} | {' | '.join(_cells(figure))} |")
    return "\n".join([_provenance(report), "", *rows])


def write_page(report: Report, mark: str) -> None:
    """Replaces the table between the page's marks of that name."""
    marks = re.compile(rf"(?s)(<!-- {mark} -->\n).*?(<!-- /{mark} -->)")
    text, written = marks.subn(lambda found: f"{found[1]}{markdown(report)}\n{found[2]}", PAGE.read_text())
    if not written:
        raise SystemExit(f"bench: {PAGE.name} has no <!-- {mark} --> … <!-- /{mark} -->")
    PAGE.write_text(text)


def _cells(figure: Figure) -> tuple[str, str, str, str]:
    spread = "" if figure.spread is None else " to ".join(_number(end) for end in figure.spread)
    signs = {"<=": "≤", ">=": "≥"}
    aim = "" if figure.aim is None else f"{signs.get(figure.aim.sign, figure.aim.sign)} {figure.aim.bound:g}"
    met = {None: "", True: "met", False: "missed"}[figure.is_met]
    return f"{_number(figure.value)} {figure.unit}".rstrip(), spread, aim, met


def _number(value: float) -> str:
    """Returns the number with three significant digits."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def _provenance(report: Report) -> str:
    machine, versions = report.machine, report.versions
    return (
        f"`{report.command}` at {report.commit} on {report.taken_at[:10]}: {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, {machine['system']}, Python {versions['python']}; "
        f"{report.rounds} rounds of {report.seconds:g} s."
    )


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30),
        "cpu": cpu[1] if cpu else "",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = "+" if git("status", "--porcelain", "--untracked-files=no", "src") else ""
    return f"{git('rev-parse', '--short', 'HEAD') or 'no commit'}{changed}"
