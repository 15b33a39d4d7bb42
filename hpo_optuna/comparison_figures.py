"""The comparison's own figures: best so far with bands over replicates, and ranks over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .curves import AXES, Array, Axis, common_grid, curve, values_of
from .figures import Drawing, colours
from .records import StudyRecord
from .statistics import average_ranks, band
from .summary import labels

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLES = {"trials": "trials (complete and pruned)", "epochs": "epochs", "seconds": "seconds in trials"}
BANDED = (
    "Mean over replicates of the best score so far, with the 95 % bootstrap band of the mean. Pruned and failed trials "
    "cost what they cost."
)
SINGLE = (
    "The best score so far, a line each replicate: a band takes three. Pruned and failed trials cost what they cost."
)
RANKED = "Average rank over replicates of the best score so far; 1 is best."


def best_so_far(records: Sequence[StudyRecord], metric: str) -> dict[Axis, Drawing]:
    """The curves of all studies against trials, epochs and seconds.

    Args:
        records: all studies of a plan.
        metric: what the scores are called.
    """
    return {axis: _best_so_far(records, metric, axis) for axis in AXES}


def _best_so_far(records: Sequence[StudyRecord], metric: str, axis: Axis) -> Drawing:
    import plotly.graph_objects as go

    key, title = f"best-{axis}", f"Best score against {axis}"
    curves = {(r.label, r.replicate): curve(r, axis) for r in records}
    if not any(len(c.best) for c in curves.values()):
        return Drawing(key, title, BANDED, why_not="No trial is complete yet.")
    grid = common_grid(list(curves.values()), axis)
    shade = colours(labels(records))
    figure = go.Figure()
    banded = False
    for label, colour in shade.items():
        values = values_of([c for (name, _), c in curves.items() if name == label], grid)
        if len(values) < 3:
            _add_lines(figure, label, colour, grid, values)
        else:
            banded = True
            _add_band(figure, label, colour, grid, values)
    figure.update_layout(xaxis={"title": TITLES[axis]}, yaxis={"title": metric}, height=440, template=None)
    return Drawing(key, title, BANDED if banded else SINGLE, figure)


def _add_lines(figure: go.Figure, label: str, colour: str, grid: Array, values: Array) -> None:
    for i, row in enumerate(values):
        figure.add_scatter(
            x=_plain(grid), y=_plain(row), name=label, legendgroup=label, showlegend=i == 0, **_line(colour, label)
        )


def _add_band(figure: go.Figure, label: str, colour: str, grid: Array, values: Array) -> None:
    mean, low, high = band(values)
    edge: dict[str, Any] = {"mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip"}
    edge |= {"legendgroup": label, "showlegend": False}
    figure.add_scatter(x=_plain(grid), y=_plain(low), **edge)
    figure.add_scatter(x=_plain(grid), y=_plain(high), fill="tonexty", fillcolor=_faint(colour), **edge)
    figure.add_scatter(x=_plain(grid), y=_plain(mean), name=label, legendgroup=label, **_line(colour, label))


def ranks(records: Sequence[StudyRecord]) -> Drawing:
    """Average rank of each sampler against trials, over the replicates that all samplers have begun."""
    import plotly.graph_objects as go

    names = labels(records)
    by_cell = {(r.label, r.replicate): r for r in records}
    shared = [r for r in sorted({r.replicate for r in records}) if all((n, r) in by_cell for n in names)]
    title, key = "Ranks over time", "ranks"
    if len(names) < 2 or not shared:
        return Drawing(key, title, RANKED, why_not="It needs two samplers in the same replicate.")
    curves = [[curve(by_cell[n, r]) for r in shared] for n in names]
    # Ranks end where the first study ends that may still go on.
    ends = [c.spent for row in curves for c in row if not c.done]
    grid = common_grid([c for row in curves for c in row], "trials")
    grid = grid[grid <= min(ends, default=math.inf)]
    if not len(grid):
        return Drawing(key, title, RANKED, why_not="Some studies have not finished a trial yet.")
    sign = 1.0 if records[0].direction == "maximize" else -1.0
    averages = average_ranks(sign * np.array([values_of(row, grid) for row in curves]))
    figure = go.Figure()
    for (label, colour), average in zip(colours(names).items(), averages, strict=True):
        figure.add_scatter(x=_plain(grid), y=_plain(average), name=label, **_line(colour, label))
    figure.update_layout(
        xaxis={"title": TITLES["trials"]},
        yaxis={"title": "average rank", "range": [len(names) + 0.2, 0.8], "dtick": 1},
        height=300,
        template=None,
    )
    return Drawing(key, title, RANKED, figure)


def _line(colour: str, label: str) -> dict[str, Any]:
    text = label.replace("<", "&lt;")
    hover = f"{text}: %{{y:.5g}} at %{{x:.5g}}<extra></extra>"
    return {"mode": "lines", "line": {"color": colour, "width": 2, "shape": "hv"}, "hovertemplate": hover}


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _plain(values: Array) -> list[float | None]:
    """Short numbers for a small page; None where there is none."""
    return [None if math.isnan(v) else float(f"{v:.6g}") for v in values]
