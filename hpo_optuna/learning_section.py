"""The report's section on generalization: training and validation of the winners side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from . import page
from .figures import Drawing, colours, plain_text
from .page import Html
from .records import StudyRecord, TrialRecord
from .summary import labels
from .units import Unit

TRAINING, VALIDATION = "train_loss", "loss"  # what a score says of itself beside its value
READ = (
    "The loss of each study's winner on the images that it trained on and on those held out. The training loss is the "
    "mean over the epoch, measured while the weights moved and with label smoothing, where there is any, so it lags "
    "behind; a validation loss that rises while it falls is overfitting. What the winner scores on images that had no "
    "part in its choice is in the section on the test set."
)
FOLDED = "Each fold has a net of its own; the standard error is that of the mean of the folds."
DRAWN = "Solid: validation. Dashed: training."


def section(records: Sequence[StudyRecord], unit: Unit) -> list[tuple[str, str, Html]]:
    """The section; none where the task says nothing of losses."""
    found = [(r, r.best) for r in records if r.best is not None and losses(r.best)]
    if not found:
        return []
    folds = any(_is_folded(trial) for _, trial in found)
    return [
        page.section(
            "learning",
            "Training and validation",
            page.paragraph(f"{READ} {FOLDED}" if folds else READ, "soft"),
            _table(found, records, unit, folds),
            page.figure(drawing(found, labels(records), folds), "all-"),
        )
    ]


def losses(trial: TrialRecord) -> list[tuple[float, float]]:
    """(training, validation) loss of each epoch or fold; empty where the task does not say both, every time."""
    rows = [(d.get(TRAINING), d.get(VALIDATION)) for d in trial.details]
    known = [(a, b) for a, b in rows if isinstance(a, int | float) and isinstance(b, int | float)]
    return known if len(known) == len(rows) and all(map(math.isfinite, sum(known, ()))) else []


def _is_folded(trial: TrialRecord) -> bool:
    return bool(trial.details) and "mean" in trial.details[-1]


def _table(
    found: Sequence[tuple[StudyRecord, TrialRecord]], records: Sequence[StudyRecord], unit: Unit, folds: bool
) -> Html:
    shade = colours(labels(records))
    head = ["Sampler", "Replicate", "Trial", "Training loss", "Validation loss", "Gap"]
    head += [unit.metric, "Standard error"] if folds else ["Lowest validation loss", "in epoch", "of"]
    rows: list[list[object]] = []
    for record, trial in found:
        curve = losses(trial)
        training, validation = _mean(curve) if folds else curve[-1]
        cells: list[object] = [page.join(page.dot(shade[record.label]), record.label), record.replicate, trial.number]
        cells += [f"{training:.4f}", f"{validation:.4f}", f"{validation - training:+.4f}"]
        if folds:
            error = trial.details[-1].get("standard_error")
            cells += [unit.score(trial.value), "-" if error is None else unit.difference(error)]
        else:
            lowest = min(range(len(curve)), key=lambda epoch: curve[epoch][1])
            cells += [f"{curve[lowest][1]:.4f}", lowest + 1, len(curve)]
        rows.append(cells)
    return page.table(head, rows, numeric=range(1, len(head)))


def _mean(curve: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(a for a, _ in curve) / len(curve), sum(b for _, b in curve) / len(curve)


def drawing(found: Sequence[tuple[StudyRecord, TrialRecord]], names: Sequence[str], folds: bool) -> Drawing:
    """Both losses of every winner, against epochs or folds."""
    import plotly.graph_objects as go

    figure, shade, step = go.Figure(), colours(names), "fold" if folds else "epoch"
    for record, trial in found:
        curve = losses(trial)
        for i, (name, dash) in enumerate((("training", "dash"), ("validation", "solid"))):
            text = f"{plain_text(record.label)}, replicate {record.replicate}, {name}"
            figure.add_scatter(
                x=list(range(1, len(curve) + 1)), y=[float(f"{row[i]:.6g}") for row in curve],
                mode="markers" if folds else "lines", name=record.label, legendgroup=record.label,
                showlegend=name == "validation" and record.replicate == min(r.replicate for r, _ in found),
                line={"color": shade[record.label], "width": 2, "dash": dash},
                marker={"color": shade[record.label], "symbol": "circle" if i else "circle-open", "size": 8},
                hovertemplate=f"{text}: %{{y:.4f}} in {step} %{{x}}<extra></extra>",
            )  # fmt: skip
    figure.update_layout(
        xaxis={"title": step, "rangemode": "tozero"}, yaxis={"title": "loss (nats)"}, height=380, template=None
    )
    caption = "Filled: validation. Open: training." if folds else DRAWN
    return Drawing("learning", "Loss of the winners", caption, figure)
