"""The comparison's own figures: best so far with bands over replicates, and ranks over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .across import Across, cliques
from .curves import AXES, Array, Axis
from .figures import Drawing, colours, plain_text
from .records import StudyRecord
from .series import Series, best_series, rank_series
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
DIAGRAM = "A bar joins samplers whose average ranks are less than the critical difference apart (Nemenyi, Demšar 2006)."
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
    if all(r.best is None for r in records):
        return Drawing(key, title, BANDED, why_not="No trial is complete yet.")
    if axis == "epochs" and not any(r.epochs for r in records):
        return Drawing(key, title, BANDED, why_not="No trial has reported an epoch.")
    grid, series = best_series(records, axis)
    figure = go.Figure()
    for label, colour in colours(labels(records)).items():
        if len(series[label].values) < 3:
            _add_lines(figure, label, colour, grid, series[label].values)
        else:
            _add_band(figure, label, colour, grid, series[label])
    figure.update_layout(xaxis={"title": TITLES[axis]}, yaxis={"title": metric}, height=440, template=None)
    banded = any(len(s.values) > 2 for s in series.values())
    return Drawing(key, title, BANDED if banded else SINGLE, figure)


def _add_lines(figure: go.Figure, label: str, colour: str, grid: Array, values: Array) -> None:
    for i, row in enumerate(values):
        figure.add_scatter(
            x=_plain(grid), y=_plain(row), name=label, legendgroup=label, showlegend=i == 0, **_line(colour, label)
        )


def _add_band(figure: go.Figure, label: str, colour: str, grid: Array, series: Series) -> None:
    edge: dict[str, Any] = {"mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip"}
    edge |= {"legendgroup": label, "showlegend": False}
    figure.add_scatter(x=_plain(grid), y=_plain(series.low), **edge)
    figure.add_scatter(x=_plain(grid), y=_plain(series.high), fill="tonexty", fillcolor=_faint(colour), **edge)
    figure.add_scatter(x=_plain(grid), y=_plain(series.mean), name=label, legendgroup=label, **_line(colour, label))


def ranks(records: Sequence[StudyRecord], axis: Axis = "trials") -> Drawing:
    """Average rank of each sampler against what was spent, over the replicates that all samplers have begun."""
    import plotly.graph_objects as go

    title, key = f"Average rank against {axis}", f"ranks-{axis}"
    grid, averages = rank_series(records, axis)
    if not averages:
        return Drawing(key, title, RANKED, why_not="It needs two samplers in the same replicate.")
    if not len(grid) or (axis == "epochs" and not any(r.epochs for r in records)):
        return Drawing(key, title, RANKED, why_not="Some studies have not finished a trial or an epoch yet.")
    figure = go.Figure()
    for label, colour in colours(labels(records)).items():
        figure.add_scatter(x=_plain(grid), y=_plain(averages[label]), name=label, **_line(colour, label))
    figure.update_layout(
        xaxis={"title": TITLES[axis]},
        yaxis={"title": "average rank", "range": [len(averages) + 0.2, 0.8], "dtick": 1},
        height=300,
        template=None,
    )
    return Drawing(key, title, RANKED, figure)


def _line(colour: str, label: str) -> dict[str, Any]:
    hover = f"{plain_text(label)}: %{{y:.5g}} at %{{x:.5g}}<extra></extra>"
    return {"mode": "lines", "line": {"color": colour, "width": 2, "shape": "hv"}, "hovertemplate": hover}


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _plain(values: Array) -> list[float | None]:
    """Short numbers for a small page; None where there is none."""
    return [None if math.isnan(v) else float(f"{v:.6g}") for v in values]


def critical_difference(across: Across) -> Drawing:
    """Demšar's diagram: average ranks over tasks, with a bar over samplers that do not differ."""
    import plotly.graph_objects as go

    key, title = "critical-difference", "Average ranks over tasks"
    if math.isnan(across.critical):
        return Drawing(key, title, DIAGRAM, why_not="It needs two samplers with scores in the same two tasks.")
    figure = go.Figure()
    rows = sorted(zip(across.samplers, across.ranks, strict=True), key=lambda row: -row[1])
    shade = colours(across.samplers)
    bars = cliques(across.ranks, across.critical)
    for i, (low, high) in enumerate(bars):
        y = len(rows) - 0.4 + 0.35 * i
        figure.add_scatter(
            x=[low - 0.03, high + 0.03], y=[y, y], mode="lines", line={"width": 7, "color": "#9aa3ae"},
            name="no difference found", showlegend=False, hovertemplate="no difference found<extra></extra>",
        )  # fmt: skip
    end = max(len(rows), 1 + across.critical) + 0.5
    for y, (name, rank) in enumerate(rows):
        side = "right" if rank < 0.45 * (0.8 + end) else "left"  # a narrow screen has no room beyond the last rank
        figure.add_scatter(
            x=[rank], y=[y], mode="markers+text", text=[f" {plain_text(name)} {rank:.2f} "],
            textposition=f"middle {side}", marker={"size": 13, "color": shade[name]}, name=name, showlegend=False,
            hoverinfo="skip", cliponaxis=False,
        )  # fmt: skip
    top = len(rows) + 0.35 * len(bars) + 0.3
    figure.add_scatter(
        x=[1, 1 + across.critical], y=[top, top], mode="lines+markers+text", line={"width": 2, "color": "#7f7f7f"},
        marker={"symbol": "line-ns-open", "size": 12}, text=[f"critical difference {across.critical:.2f}", ""],
        textposition="top right", showlegend=False, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    figure.update_layout(
        xaxis={"title": "average rank (1 is best)", "range": [0.8, end], "dtick": 1},
        yaxis={"visible": False, "range": [-0.6, top + 0.9]},
        height=round(150 + 42 * (top + 1)),
        template=None,
    )
    return Drawing(key, title, DIAGRAM, figure)
