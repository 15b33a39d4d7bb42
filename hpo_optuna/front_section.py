"""The report's section on two objectives: fronts by sampler, and what they dominate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from . import page
from .figures import STARS, Drawing, add_stars, colours, plain_text
from .fronts import box, complete, front, scalar, signs
from .page import Html
from .records import StudyRecord
from .status import configuration
from .summary import labels

READ = (
    "A trial is on the front where no other trial of its sampler is better in one objective and at least as good in "
    "the other. Hypervolume is the share of the box between the reference point and the best value of each objective "
    "that the front dominates: larger is better, and samplers are compared by it, replicate by replicate."
)
GIVEN, FOUND = "The plan's reference point", "The reference point, the worst value of each objective met by any study,"
DRAWN = "All complete trials; lines join the front of each sampler over its replicates."


def section(records: Sequence[StudyRecord], names: Sequence[str]) -> tuple[str, str, Html]:
    """The section of a plan with two objectives, called ``names``."""
    common = box(records)
    parts = [page.paragraph(READ, "soft")]
    if common is not None:
        point = ", ".join(f"{name} {value:.6g}" for name, value in zip(names, common.reference, strict=True))
        ideal = ", ".join(f"{name} {value:.6g}" for name, value in zip(names, common.ideal, strict=True))
        words = GIVEN if common.given else FOUND
        parts.append(page.paragraph(f"{words} is {point}. The best values are {ideal}."))
    parts += [_samplers(records), page.figure(drawing(records, names), "all-"), _front(records, names)]
    return page.section("front", "Front", *parts)


def as_dict(records: Sequence[StudyRecord], names: Sequence[str]) -> dict[str, Any]:
    """The section's numbers, for JSON."""
    common = box(records)
    return {
        "objectives": list(names),
        "reference": list(common.reference) if common else None,
        "ideal": list(common.ideal) if common else None,
        "hypervolume": {r.name: r.best.value if r.best else None for r in scalar(records)},
        "front": [
            {"study": r.name, "trial": t.number, "values": list(t.values), "params": dict(t.params)}
            for r, t in front(records)
        ],
    }


def _samplers(records: Sequence[StudyRecord]) -> Html:
    head = ["Sampler", "Replicates", "Mean hypervolume", "SD", "Trials on its front, mean", "Epochs, mean"]
    rows: list[list[object]] = []
    for label, colour in colours(labels(records)).items():
        mine = [r for r in records if r.label == label]
        shares = [r.best.value for r in scalar(records) if r.label == label and r.best and r.best.value is not None]
        row: list[object] = [page.join(page.dot(colour), label), len(mine)]
        row += [f"{mean(shares):.4f}" if shares else "-", f"{stdev(shares):.4f}" if len(shares) > 1 else "-"]
        rows.append([*row, f"{mean(len(front([r])) for r in mine):.1f}", round(mean(r.epochs for r in mine))])
    return page.table(head, rows, numeric=range(1, len(head)))


def _front(records: Sequence[StudyRecord], names: Sequence[str]) -> Html:
    shade = colours(labels(records))
    rows = [
        [
            *(f"{v:.6g}" for v in trial.values),
            page.join(page.dot(shade[record.label]), record.label),
            record.replicate,
            trial.number,
            page.code(configuration(trial.params)),
        ]
        for record, trial in front(records)
    ]
    head = [*names, "Sampler", "Replicate", "Trial", "Configuration"]
    n = len(names)
    table = page.table(head, rows, numeric=(*range(n), n + 1, n + 2))
    return page.folded("The front of all studies together", table, unfolded=True)


def drawing(records: Sequence[StudyRecord], names: Sequence[str]) -> Drawing:
    """Every complete trial in the plane of the objectives, and each sampler's front."""
    import plotly.graph_objects as go

    key, title = "front", "Fronts"
    if not any(complete(r) for r in records):
        return Drawing(key, title, DRAWN, why_not="No trial is complete yet.")
    figure = go.Figure()
    for label, colour in colours(labels(records)).items():
        mine = [r for r in records if r.label == label]
        figure.add_scatter(
            **_points([t.values for r in mine for t in complete(r)]), mode="markers", name=label, legendgroup=label,
            showlegend=False, marker={"color": colour, "size": 5, "opacity": 0.35}, hoverinfo="skip",
        )  # fmt: skip
        hover = f"{plain_text(label)}: %{{x:.5g}}, %{{y:.5g}}<extra></extra>"
        figure.add_scatter(
            **_points([t.values for _, t in front(mine)]), mode="lines+markers", name=label, legendgroup=label,
            line={"color": colour, "width": 2, "shape": _corner(signs(records[0]))},
            marker={"color": colour, "size": 8}, hovertemplate=hover,
        )  # fmt: skip
    by_hand = [(r, t) for r in records for t in complete(r) if t.by_hand]
    shade = colours(labels(records))
    add_stars(figure, by_hand, [t.values[1] for _, t in by_hand], [t.values[0] for _, t in by_hand], shade)
    figure.update_layout(xaxis={"title": names[1]}, yaxis={"title": names[0]}, height=460, template=None)
    return Drawing(key, title, DRAWN + (STARS if by_hand else ""), figure)


def _points(values: Sequence[Sequence[float]]) -> Mapping[str, list[float]]:
    """The first objective upwards, the second, in most plans the cost, to the right."""
    ordered = sorted(values, key=lambda v: (v[1], v[0]))
    return {"x": [float(f"{v[1]:.6g}") for v in ordered], "y": [float(f"{v[0]:.6g}") for v in ordered]}


def _corner(sign: Sequence[float]) -> str:
    """How the line between two points of a front runs so that it bounds what they dominate."""
    return "hv" if sign[1] > 0 else "vh"
