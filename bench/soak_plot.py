"""Draws the diagram of a soak: `python -m bench.soak_plot REPORT.json DIAGRAM.svg`."""

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
from matplotlib.figure import Figure

from bench.soak_report import WARM_UP_SECONDS, Report
from bench.soak_samples import Sample

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # distinguishable with any colour vision (Okabe and Ito)
_QUIET = "#8a8f98"
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _QUIET,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "soak",
}


def main() -> None:
    """Draws the report that the arguments name."""
    parser = argparse.ArgumentParser(prog="bench.soak_plot", description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("diagram", type=Path)
    args = parser.parse_args()
    draw(msgspec.json.decode(args.report.read_bytes(), type=Report), args.diagram)


def draw(report: Report, diagram: Path) -> None:
    """Writes the diagram in the format of the file's extension."""
    load = report.of("load")
    begin = load[0].at
    minutes = [(sample.at - begin) / 60 for sample in load]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 6.6), layout="constrained")
        memory, descriptors, requests = axes = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 2))
        _draw_memory(memory, minutes, load)
        _draw_descriptors(descriptors, minutes, load)
        _draw_requests(requests, minutes, load)
        for each in axes:
            _shade_periods(each, report, begin)
        _label_periods(memory, report, begin)
        requests.set_xlabel("minutes of load")
        requests.set_xlim(0, minutes[-1])
        figure.savefig(diagram, metadata={"Date": None} if diagram.suffix == ".svg" else None, dpi=150)


def _draw_memory(axes: Any, minutes: Sequence[float], load: Sequence[Sample]) -> None:
    axes.set_title("Resident memory, MB")
    for number, (worker, color) in enumerate(zip(load[0].workers, _COLORS, strict=False)):
        values = [next((p.rss_mb for p in sample.workers if p.pid == worker.pid), None) for sample in load]
        axes.plot(minutes, values, color=color, linewidth=1.4, label=f"worker {number + 1}")
    _add_legend(axes)


def _draw_descriptors(axes: Any, minutes: Sequence[float], load: Sequence[Sample]) -> None:
    axes.set_title("Open descriptors and tasks, both workers together")
    curves = {
        "clients": [sample.descriptors("client") for sample in load],
        "provider": [sample.descriptors("upstream") for sample in load],
        "database": [sample.database_connections for sample in load],
        "tasks": [sum(worker.tasks or 0 for worker in sample.workers) for sample in load],
    }
    for (name, values), color in zip(curves.items(), _COLORS, strict=True):
        axes.plot(minutes, values, color=color, linewidth=0.9, label=name)
    _add_legend(axes)


def _draw_requests(axes: Any, minutes: Sequence[float], load: Sequence[Sample]) -> None:
    axes.set_title("Responses per second")
    intervals = [(before, after) for before, after in pairwise(load) if after.at > before.at]
    ends = [minute for minute, (before, after) in zip(minutes[1:], pairwise(load), strict=True) if after.at > before.at]
    requests = [(after.requests - before.requests) / (after.at - before.at) for before, after in intervals]
    away = [(after.away - before.away) / (after.at - before.at) for before, after in intervals]
    curves = {"all": requests, "503 while the database is down": away}
    for (name, rates), color in zip(curves.items(), _COLORS, strict=False):
        axes.plot(ends, rates, color=color, linewidth=0.9, label=name)
    _add_legend(axes)


def _add_legend(axes: Any) -> None:
    """Adds a legend above the curves, and starts the axis at zero."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=4, borderaxespad=0.2)
    axes.set_ylim(0, 1.08 * axes.get_ylim()[1])


def _shade_periods(axes: Any, report: Report, begin: float) -> None:
    """Shades the warm-up and the database outage."""
    axes.axvspan(0, WARM_UP_SECONDS / 60, color="#f4f5f6", zorder=0, linewidth=0)
    if report.restart is not None:
        away = [(moment - begin) / 60 for moment in (report.restart.down_at, report.restart.up_at)]
        axes.axvspan(*away, color="#f0c9c9", zorder=0, linewidth=0)
    axes.tick_params(color=_QUIET, labelcolor="#3c4148")


def _label_periods(axes: Any, report: Report, begin: float) -> None:
    """Labels the shaded periods."""
    named = {"warm-up": 0.0}
    if report.restart is not None:
        named["database down"] = (report.restart.up_at - begin) / 60
    for name, minute in named.items():
        axes.annotate(name, (minute, 0), xytext=(4, 4), textcoords="offset points", fontsize=8, color="#6b7078")


if __name__ == "__main__":
    main()
