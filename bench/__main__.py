"""Measures the engine beside a bare relay, and holds what it finds against the aims: `python -m bench` or `just bench`.

The figures are CPU time of the server for each request, because on a machine that others use too the time by the clock
tells more about them; the ratios within one run, whose rounds are interleaved, are what can be compared.
"""

import argparse
import shlex
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.cases import CASES
from bench.report import Found, Report, keep, lines_of, markdown, report_on, write_page
from bench.stage import Stage

_ROUNDS = 5
_SECONDS = 0.4
_LONG_ROUNDS = 9
_LONG_SECONDS = 1.5


def main() -> int:
    """Runs the cases that are asked for; returns the exit code."""
    args = _arguments()
    report = run(args)
    file = keep(report)
    if args.markdown:
        print(markdown(report))
    if args.write_docs:
        write_page(report, "bench")
    missed = report.missed
    for figure in missed:
        print(f"missed: {figure.what}", file=sys.stderr)
    print(f"{len(missed)} aims missed. Kept in {file}.", file=sys.stderr)
    return 1 if missed and args.strict else 0


def run(args: argparse.Namespace) -> Report:
    """Returns what the cases find, and prints it as they go."""
    rounds = args.rounds or (_LONG_ROUNDS if args.long else _ROUNDS)
    seconds = _LONG_SECONDS if args.long else _SECONDS
    cases = []
    with tempfile.TemporaryDirectory(prefix="polyant-bench-") as folder, ExitStack() as stack:
        stage = Stage(stack, Path(folder), rounds=rounds, seconds=seconds, long=args.long)
        for name in args.case or CASES:
            case = CASES[name]
            found = Found(case=name, says=case.__doc__ or "", figures=tuple(case(stage)))
            cases.append(found)
            print("\n".join(lines_of(found)), file=sys.stderr if args.markdown else sys.stdout, flush=True)
        postgresql = stage.databases.version
    command = shlex.join(["just", "bench", *sys.argv[1:]])
    return report_on(command, cases, rounds=rounds, seconds=seconds, postgresql=postgresql)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--case", action="append", choices=CASES, help="only this case; may be given again")
    parser.add_argument("--rounds", type=int, help=f"interleaved rounds of a case [{_ROUNDS}]")
    parser.add_argument("--long", action="store_true", help="more and longer rounds, and all of 10,000 instances asked")
    parser.add_argument("--strict", action="store_true", help="fail if an aim is missed")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--write-docs", action="store_true", help="write the table to docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
