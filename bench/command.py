"""The command line of a benchmark: selects the cases and their length, runs them, and writes the report."""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench.figures import Figure
from bench.harness import Harness
from bench.processes import ROOT
from bench.report import PAGE, Found, Report, lines_of, markdown, report_on, save, write_page

Case = Callable[[Harness], Iterator[Figure]]


class Length(msgspec.Struct, frozen=True):
    """The length of a run."""

    rounds: int
    seconds: float
    """The duration of the load on each server in each round."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark, run as `just NAME`."""

    name: str
    description: str
    cases: Mapping[str, Case]
    short: Length
    long: Length
    versions: Callable[[], dict[str, str]] = dict
    """Returns the versions of programs that aren't packages of this environment."""

    def main(self) -> int:
        """Runs the cases that the command line selects, and returns the exit code."""
        args = self._arguments()
        report = self._run(args)
        print(f"Saved to {save(report)}.", file=sys.stderr)
        if args.markdown:
            print(markdown(report))
        if args.write_docs and not report.failed:
            write_page(report, self.name)
        for case, figure in report.missed:
            print(f"Missed: {case}, {figure.name}.", file=sys.stderr)
        if report.missed:
            print(f"For the reasons, see “Missed aims” in {PAGE.relative_to(ROOT)}.", file=sys.stderr)
        return 1 if report.failed or (report.missed and args.strict) else 0

    def _arguments(self) -> argparse.Namespace:
        parser = argparse.ArgumentParser(prog=f"just {self.name}", description=self.description)
        parser.add_argument("--case", action="append", choices=self.cases, help="run only this case; may be repeated")
        parser.add_argument("--against", metavar="REV", help="measure this commit too, where a case compares versions")
        parser.add_argument(
            "--rounds", type=int, help=f"the number of interleaved rounds per case [{self.short.rounds}]"
        )
        parser.add_argument("--long", action="store_true", help="measure more and longer, for the page")
        parser.add_argument("--strict", action="store_true", help="fail if an aim is missed")
        parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
        parser.add_argument("--write-docs", action="store_true", help=f"write the table to {PAGE.relative_to(ROOT)}")
        return parser.parse_args()

    def _run(self, args: argparse.Namespace) -> Report:
        length = self.long if args.long else self.short
        rounds = args.rounds or length.rounds
        output = sys.stderr if args.markdown else sys.stdout
        found = []
        with tempfile.TemporaryDirectory(prefix="polyant-bench-") as folder, ExitStack() as stack:
            folder_of_run = Path(folder)
            harness = Harness(
                stack, folder_of_run, rounds=rounds, seconds=length.seconds, long=args.long, against=args.against
            )
            for name in args.case or self.cases:
                found.append(run_case(name, self.cases[name], harness))
                print("\n".join(lines_of(found[-1])), file=output, flush=True)
            versions = {"postgresql": harness.databases.version} | self.versions()
        command = shlex.join(["just", self.name, *sys.argv[1:]])
        return report_on(command, found, rounds=rounds, seconds=length.seconds, **versions)


def run_case(name: str, case: Case, harness: Harness) -> Found:
    """Returns the results of the case; if the case fails, the result contains the error and the run continues."""
    description = case.__doc__ or ""
    try:
        return Found(case=name, description=description, figures=tuple(case(harness)))
    except SystemExit as error:
        return Found(case=name, description=description, figures=(), failure=str(error))
