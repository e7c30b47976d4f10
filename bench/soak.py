"""Runs the engine under mixed load for a long time and looks for leaks and wrong responses: `just soak`.

Two workers run on PostgreSQL, with the shared limiter, authentication, the log and the metrics. Halfway through, the
database is stopped for ten seconds. Hostile clients attack in every other period of 90 seconds. The exit code
is 1 if a check fails.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.databases import postgres
from bench.processes import ROOT
from bench.report import PAGE, RESULTS
from bench.soak_harness import soak_harness
from bench.soak_page import write_page
from bench.soak_plot import draw
from bench.soak_report import Report, findings
from bench.soak_run import Soak

_FAILURES_SHOWN = 20


def main() -> None:
    """Runs the soak that the arguments describe, and exits with its verdict."""
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="duration of the load [30]")
    parser.add_argument("--rate", type=float, default=180.0, help="requests per second [180]")
    parser.add_argument(
        "--database-url", help="an existing PostgreSQL, which isn't restarted; by default, one from the wheel, which is"
    )
    parser.add_argument(
        "--write-docs", action="store_true", help=f"write the table and the diagram to {PAGE.relative_to(ROOT)}"
    )
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="polyant-soak-") as folder,
        _database(args) as (url, server),
        soak_harness(url, Path(folder)) as harness,
    ):
        report = uvloop.run(Soak(harness, url, server, rate=args.rate, minutes=args.minutes).run())
    _save(report)
    if args.write_docs:
        write_page(report)
    sys.exit(_conclude(report))


@contextlib.contextmanager
def _database(args: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    if args.database_url:
        yield args.database_url, None
    else:
        with postgres() as server:
            yield server.get_uri(), server


def _save(report: Report) -> None:
    """Writes the report and its diagram to new files."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"soak-{time.strftime('%Y%m%d-%H%M%S')}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    draw(report, file.with_suffix(".svg"))
    print(f"Saved to {file.relative_to(ROOT)}, with a diagram in the same folder.")


def _conclude(report: Report) -> int:
    """Prints the counts and the verdict, and returns the exit code."""
    for kind, outcomes in sorted(report.counts.items()):
        print(f"{kind:<40}{', '.join(f'{count} {outcome}' for outcome, count in outcomes.items())}")
    for failure in report.failures[:_FAILURES_SHOWN]:
        print(f"{failure.at:>8.1f} s  {failure.kind}: {failure.message}")
    for line in report.bad_log_lines:
        print(f"log: {line}")
    verdict = findings(report)
    for finding in verdict:
        print(f"{finding.verdict:<12}{finding.name:<40}{finding.figure}")
    return 1 if any(finding.is_good is False for finding in verdict) else 0


if __name__ == "__main__":
    main()
