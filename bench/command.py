"""The command line of a run: which cases, how long, and where what they find goes."""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench.figures import Figure
from bench.processes import ROOT
from bench.report import PAGE, Found, Report, keep, lines_of, markdown, report_on, write_page
from bench.stage import Stage

Case = Callable[[Stage], Iterator[Figure]]


class Length(msgspec.Struct, frozen=True):
    """How much is measured."""

    rounds: int
    seconds: float
    """Of load, for each server in each round."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What `just NAME` measures."""

    name: str
    says: str
    cases: Mapping[str, Case]
    short: Length
    long: Length
    versions: Callable[[], dict[str, str]] = dict
    """Those of programs that aren't packages of this environment."""

    def main(self) -> int:
        """Runs the cases that the command line asks for; returns the exit code."""
        args = self._arguments()
        report = self._run(args)
        print(f"Kept in {keep(report)}.", file=sys.stderr)
        if args.markdown:
            print(markdown(report))
        if args.write_docs and not report.failed:
            write_page(report, self.name)
        for case, figure in report.missed:
            print(f"Missed: {case}, {figure.what}.", file=sys.stderr)
        if report.missed:
            print(f"What is in the way: {PAGE.relative_to(ROOT)}, “Missed aims”.", file=sys.stderr)
        return 1 if report.failed or (report.missed and args.strict) else 0

    def _arguments(self) -> argparse.Namespace:
        parser = argparse.ArgumentParser(prog=f"just {self.name}", description=self.says)
        parser.add_argument("--case", action="append", choices=self.cases, help="only this case; may be given again")
        parser.add_argument("--against", metavar="REV", help="measure this commit too, where a case compares versions")
        parser.add_argument("--rounds", type=int, help=f"interleaved rounds of a case [{self.short.rounds}]")
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
            stage = Stage(
                stack, folder_of_run, rounds=rounds, seconds=length.seconds, long=args.long, against=args.against
            )
            for name in args.case or self.cases:
                found.append(found_by(name, self.cases[name], stage))
                print("\n".join(lines_of(found[-1])), file=output, flush=True)
            versions = {"postgresql": stage.databases.version} | self.versions()
        command = shlex.join(["just", self.name, *sys.argv[1:]])
        return report_on(command, found, rounds=rounds, seconds=length.seconds, **versions)


def found_by(name: str, case: Case, stage: Stage) -> Found:
    """Returns what the case finds; one that can't be carried through doesn't end those after it."""
    says = case.__doc__ or ""
    try:
        return Found(case=name, says=says, figures=tuple(case(stage)))
    except SystemExit as error:
        return Found(case=name, says=says, figures=(), failure=str(error))
