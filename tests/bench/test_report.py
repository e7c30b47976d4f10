from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from bench import report as page
from bench.command import run_case
from bench.figures import TIMES, Aim, Figure
from bench.harness import Harness
from bench.report import Found, Report, lines_of, markdown, report_on, write_page

MET = Figure(name="ratio", value=2.25, unit=TIMES, spread=(2.0, 2.504), aim=Aim("<=", 2.5))
MISSED = Figure(name="deltas", value=99.5, unit="%", aim=Aim("=", 100))
FOUND = Found(case="streaming", description="Streams.", figures=(MET, MISSED))


@pytest.fixture
def report() -> Report:
    return report_on("just bench --long", [FOUND], rounds=3, seconds=0.5, postgresql="18.1")


def test_report_lists_figures_that_miss_their_aim(report: Report) -> None:
    assert report.missed == [("streaming", MISSED)]


def test_line_shows_median_spread_aim_and_verdict() -> None:
    heading, met, missed = lines_of(FOUND)
    assert heading == "streaming: Streams."
    assert met.split() == ["ratio", "2.25", TIMES, "2", "to", "2.50", "≤", "2.5", "met"]
    assert missed.split() == ["deltas", "99.5", "%", "=", "100", "missed"]


def test_markdown_states_the_measurement_and_names_each_case_once(report: Report) -> None:
    provenance, _, *rows = markdown(report).splitlines()
    assert provenance.startswith("`just bench --long` at ")
    assert "3 rounds of 0.5 s" in provenance
    assert rows[2:] == [
        f"| **streaming**: Streams | ratio | 2.25 {TIMES} | 2 to 2.50 | ≤ 2.5 | met |",
        "|  | deltas | 99.5 % |  | = 100 | missed |",
    ]


def test_page_changes_only_between_the_marks_of_the_table(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "performance.md"
    peers = "<!-- bench-peers -->\nkept\n<!-- /bench-peers -->\n"
    file.write_text(f"before\n<!-- bench -->\nold\n<!-- /bench -->\n{peers}")
    monkeypatch.setattr(page, "PAGE", file)
    write_page(report, "bench")
    assert file.read_text() == f"before\n<!-- bench -->\n{markdown(report)}\n<!-- /bench -->\n{peers}"
    with pytest.raises(SystemExit):
        write_page(report, "elsewhere")


def test_report_survives_a_round_trip_through_json(report: Report) -> None:
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_failed_case_shows_its_error_and_fails_the_run() -> None:
    def broken(_: Harness) -> Iterator[Figure]:
        """A case."""
        yield MET
        raise SystemExit("bench: 3 responses are wrong")

    found = run_case("broken", broken, cast("Harness", None))
    assert lines_of(found) == ["broken: A case.", "  bench: 3 responses are wrong"]
    assert report_on("just bench", [FOUND, found], rounds=1, seconds=1).failed == ["broken"]
