"""The report's section on pruning: what it saved, what it lost, how it should be set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from . import page
from .figures import Drawing, colours
from .page import Html
from .pruning import Pruning, Share, Stopped, pruning
from .pruning_advice import Replay, advice, present_setting, replays
from .records import StudyRecord
from .summary import labels
from .units import Unit, counted

if TYPE_CHECKING:
    import plotly.graph_objects as go

SOFT = (
    "Of the trials that the pruner stopped, a share chosen by seed and index trained on unreported, beside the budget; "
    "the search saw nothing of it. Intervals are exact for independent trials (Clopper-Pearson), which trials of one "
    "search are only in part."
)
UNAUDITED = (
    "No stopped trial was followed to its end, so what pruning lost is unknown; a run with --audit 0.1 follows a tenth."
)
FOLLOWED = (
    "Audited trials: the part that the search saw is solid, the unreported part dashed. Thick: the median of the "
    "complete trials, all studies pooled."
)
RANKED = (
    "Spearman's rank correlation of the score after each epoch with the final one, over complete and audited trials; "
    "each audited one weighs as many stopped ones as it stands for."
)
REPLAYED = (
    "The median rule replayed on the whole curves of studies audited in full: epochs saved, and in how many studies "
    "the best trial would have been stopped. Columns: n_startup_trials; rows: n_warmup_steps; the plan's own is "
    "marked."
)
MOST_CURVES = 60  # more than that are a hedge


def section(records: Sequence[StudyRecord], unit: Unit) -> list[tuple[str, str, Html]]:
    """The section; none where no trial was stopped by a pruner."""
    found = pruning(records)
    if not found.stopped.k:
        return []
    parts: list[str] = [page.table(["", "Count", "Share", "95 % interval"], _rows(found, unit), numeric=(1, 2, 3))]
    if not found.audited:
        return [page.section("pruning", "Pruning", *parts, page.paragraph(UNAUDITED))]
    figures = [page.figure(d, "all-") for d in (_curves(found, records, unit), _correlations(found))]
    parts = [page.paragraph(SOFT, "soft"), *parts, page.paragraph(advice(found)), *_replayed(found), *figures]
    return [page.section("pruning", "Pruning", *parts)]


def as_dict(records: Sequence[StudyRecord]) -> dict[str, Any]:
    """The section's numbers, for JSON."""
    found = pruning(records)
    return {**found.as_dict(), "advice": advice(found), "replays": [vars(r) for r in replays(found)]}


def _rows(found: Pruning, unit: Unit) -> list[list[str]]:
    net = found.saved - found.audit_epochs
    rows = [
        ["Stopped by the pruner", *_cells(found.stopped, interval=False)],
        ["Epochs saved", f"{found.saved} of {found.unpruned}", _percent(found.saved, found.unpruned), ""],
    ]
    if not found.audited:
        return rows
    rows += [
        ["Audited, of those stopped", *_cells(Share(len(found.audited), found.stopped.k), interval=False)],
        ["Epochs saved, less those of the audit", f"{net} of {found.unpruned}", _percent(net, found.unpruned), ""],
        ["Would have ended above the median", *_cells(found.above_median)],
        ["Would have ended above the best", *_cells(found.above_best)],
    ]
    regrets = found.regrets
    if regrets:
        hurt = f"{sum(r > 0 for r in regrets)} of {counted(len(regrets), 'study')}"
        worst = f"mean {unit.difference(mean(regrets))}, largest {unit.difference(max(regrets))}"
        rows.append(["Best score lost (studies audited in full)", hurt, worst, ""])
    return rows


def _cells(share: Share, *, interval: bool = True) -> list[str]:
    low, high = share.interval
    return [f"{share.k} of {share.n}", _percent(share.k, share.n), f"{low:.0%} to {high:.0%}" if interval else ""]


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def _replayed(found: Pruning) -> list[Html]:
    all_of_them = replays(found)
    if not all_of_them or advice(found).startswith("Too few"):
        return []
    by_setting = {(r.warmup, r.startup): r for r in all_of_them}
    startups = sorted({r.startup for r in all_of_them})
    present = present_setting(found)

    def cell(r: Replay | None) -> str:
        if r is None:
            return ""
        mark = " ◂ plan" if (r.warmup, r.startup) == present else ""
        return f"{r.saved:.0%}, lost {r.lost} of {r.studies}{mark}"

    rows = [
        [warmup, *(cell(by_setting.get((warmup, s))) for s in startups)]
        for warmup in sorted({r.warmup for r in all_of_them})
    ]
    head = ["Warm-up", *(f"Start-up {s}" for s in startups)]
    return [page.folded("The median rule at other settings", page.paragraph(REPLAYED, "soft"), page.table(head, rows))]


def _curves(found: Pruning, records: Sequence[StudyRecord], unit: Unit) -> Drawing:
    import plotly.graph_objects as go

    sign = 1.0 if records[0].direction == "maximize" else -1.0
    figure = go.Figure()
    for label, colour in colours(labels(records)).items():
        mine = [s for s in found.audited if s.label == label][:MOST_CURVES]
        if mine:
            _add_curves(figure, label, colour, mine, sign)
    complete = [curve for s in found.studies for curve in s.complete.values()]
    longest = max(map(len, complete), default=0)
    middle = [sign * median(c[e] for c in complete if len(c) > e) for e in range(longest)]
    figure.add_scatter(
        x=list(range(1, longest + 1)), y=middle, name="median of complete trials", mode="lines",
        line={"color": "#7F7F7F", "width": 4},
    )  # fmt: skip
    figure.update_layout(xaxis={"title": "epoch"}, yaxis={"title": unit.metric}, height=440, template=None)
    return Drawing("audited", "What became of stopped trials", FOLLOWED, figure)


def _add_curves(figure: go.Figure, label: str, colour: str, audited: Sequence[Stopped], sign: float) -> None:
    """All curves of a sampler as two traces, with gaps between the trials."""
    for dash, legend in (("solid", True), ("dash", False)):
        x: list[int | None] = []
        y: list[float | None] = []
        for s in audited:
            # The dashed part begins where the solid one ends.
            first, last = (0, s.reported) if dash == "solid" else (max(0, s.reported - 1), len(s.curve))
            x += [*range(first + 1, last + 1), None]
            y += [*(round(sign * v, 6) for v in s.curve[first:last]), None]
        figure.add_scatter(
            x=x, y=y, mode="lines+markers", marker={"size": 4}, line={"color": colour, "width": 1.3, "dash": dash},
            name=label, legendgroup=label, showlegend=legend, opacity=0.7,
        )  # fmt: skip


def _correlations(found: Pruning) -> Drawing:
    import plotly.graph_objects as go

    rho = found.rank_correlations
    key, title = "rank-correlation", "How early scores rank as the final ones"
    if not rho or all(math.isnan(r) for r in rho):
        return Drawing(key, title, RANKED, why_not="It needs three whole curves of two epochs.")
    figure = go.Figure()
    values = [None if math.isnan(r) else round(r, 4) for r in rho]
    figure.add_scatter(
        x=list(range(1, len(rho) + 1)), y=values, mode="lines+markers", line={"color": "#0072B2", "width": 2},
        showlegend=False,
    )  # fmt: skip
    figure.update_layout(
        xaxis={"title": "epoch", "dtick": 1 if len(rho) <= 20 else None},
        yaxis={"title": "rank correlation", "range": [min(0.0, *rho) if not math.isnan(min(rho)) else -1.0, 1.05]},
        height=300,
        template=None,
    )
    return Drawing(key, title, RANKED, figure)
