"""Optuna's own plots of studies, or the reason why there is nothing to plot."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning

from .records import StudyRecord, TrialRecord
from .summary import labels

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Six of Okabe and Ito's colours (Wong, Nature Methods 8:441, 2011), and four that no kind of colour vision takes for
# one of them: in CIELAB no two of the ten are closer than the closest of the six, on light and on dark paper.
PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8822EE", "#884422", "#AAAA66", "#664466",
)  # fmt: skip
STATE_COLOURS = {"COMPLETE": "#0072B2", "PRUNED": "#E69F00", "FAIL": "#D62728", "RUNNING": "#009E73"}
CONTOUR_PARAMS = 4  # a contour plot has the square of this many panels


@dataclass(frozen=True)
class Drawing:
    """One plot of the report: a figure, or one sentence that says why there is none."""

    key: str
    title: str
    caption: str
    figure: go.Figure | None = None
    why_not: str = ""
    wide: bool = False  # scrolls sideways on a narrow screen


def colours(names: Sequence[str]) -> dict[str, str]:
    """One colour for each sampler, the same in every figure."""
    return {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(names)}


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna's remarks on experimental features and on trials that a plot leaves out, kept off the terminal."""
    logger = logging.getLogger("optuna.visualization")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logger.setLevel(level)


def comparison_drawings(
    studies: Mapping[str, optuna.Study], records: Sequence[StudyRecord], metric: str
) -> list[Drawing]:
    """History and empirical distribution function over all studies.

    Args:
        studies: Optuna's studies by name.
        records: the same studies as records, in the order of the legend.
        metric: what the scores are called.
    """
    drawn = [r for r in records if _complete(r)]
    chosen = [studies[r.name] for r in drawn]
    why_not = "" if drawn else "No trial is complete yet."

    def history() -> go.Figure:
        figure = optuna.visualization.plot_optimization_history(chosen, target_name=metric)
        # Optuna draws three traces a study: the scores, the best so far, and infeasible trials.
        for i, trace in enumerate(figure.data):
            record = drawn[i // 3]
            _by_sampler(trace, record, shade, legend=i % 3 == 1 and record in first)
            if i % 3 == 0:
                trace.marker.update(opacity=0.35, size=5)
            elif i % 3 == 1:
                trace.line.update(shape="hv", width=2)  # a best score stands until it is beaten
        by_hand = [(r, t) for r in drawn for t in _complete(r) if t.by_hand]
        add_stars(figure, by_hand, [t.number for _, t in by_hand], [t.value for _, t in by_hand], shade)
        return figure

    def edf() -> go.Figure:
        figure = optuna.visualization.plot_edf(chosen, target_name=metric)
        for trace, record in zip(figure.data, drawn, strict=True):
            _by_sampler(trace, record, shade, legend=record in first)
        return figure

    shade = colours(labels(records))
    first = list({r.label: r for r in reversed(drawn)}.values())
    starred = HISTORY + (STARS if any(t.by_hand for r in drawn for t in _complete(r)) else "")
    return [
        draw("history", "Optimization history", starred, history, why_not),
        draw("edf", "Empirical distribution function", EDF, edf, why_not),
    ]


HISTORY = "Dots: scores of complete trials in the order asked. Lines: the best so far. Pruned trials show no score."
STARS = " Stars: configurations set by hand."
EDF = "For each score, the share of complete trials at or below it. Pruned trials are left out, which flatters."


def _by_sampler(trace: Any, record: StudyRecord, shade: Mapping[str, str], *, legend: bool) -> None:
    """Colour and legend by sampler, the replicate told by the hover text: 24 studies have three legend lines."""
    name = f"{record.label}, replicate {record.replicate}"
    trace.update(legendgroup=record.label, name=record.label if legend else name, showlegend=legend)
    trace.update(hovertemplate=f"{plain_text(name)}: %{{y:.5g}} at %{{x:.5g}}<extra></extra>")
    if trace.mode == "markers":
        trace.marker.update(color=shade[record.label])
    else:
        trace.line.update(color=shade[record.label])


def add_stars(
    figure: go.Figure, by_hand: Sequence[tuple[StudyRecord, TrialRecord]], x: Any, y: Any, shade: Mapping[str, str]
) -> None:
    """Mark trials that were set by hand by stars in their samplers' colours; nothing where there are none."""
    if not by_hand:
        return
    texts = [f"{r.label}, replicate {r.replicate}, trial {t.number}: set by hand" for r, t in by_hand]
    figure.add_scatter(
        x=x, y=y, mode="markers", name="set by hand", text=[plain_text(t) for t in texts],
        hovertemplate="%{text}, %{y:.5g}<extra></extra>",
        marker={
            "symbol": "star", "size": 13, "color": [shade[r.label] for r, _ in by_hand],
            "line": {"width": 1, "color": "#7F7F7F"},
        },
    )  # fmt: skip


def plain_text(text: str) -> str:
    """``text`` without the signs that plotly reads as HTML or as a template."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("{", "(").replace("}", ")")


def study_drawings(study: optuna.Study, record: StudyRecord, metric: str) -> list[Drawing]:
    """Optuna's plots of one study.

    Args:
        study: Optuna's study.
        record: the same study as a record.
        metric: what the scores are called.
    """
    plots = optuna.visualization
    complete = _complete(record)
    varied = _varied(complete)
    contoured = varied[:CONTOUR_PARAMS]

    def parallel() -> go.Figure:
        return _on_light(plots.plot_parallel_coordinate(study, target_name=metric))

    def slices() -> go.Figure:
        return _on_light(_log_ticks(plots.plot_slice(study, target_name=metric), complete))

    def contour() -> go.Figure:
        figure = plots.plot_contour(study, params=contoured, target_name=metric)
        panels = len(contoured) if len(contoured) > 2 else 3
        return _log_ticks(figure, complete).update_layout(height=90 + 170 * panels)

    def importances() -> go.Figure:
        figure = plots.plot_param_importances(study, target_name=metric)
        figure.update_layout(
            height=110 + 34 * len(figure.data[0].y), yaxis={"title": ""}, xaxis={"title": "importance"}
        )
        return figure.update_traces(marker={"color": STATE_COLOURS["COMPLETE"]})

    few = f"{len(complete)} of its trials {'is' if len(complete) == 1 else 'are'} complete"
    none = _unless(complete, "No trial is complete yet.")
    one = _unless(len(complete) > 1, f"It needs two complete trials; {few}.")
    flat = _unless(len({t.value for t in complete}) > 1, "All complete trials have the same score.")
    pair = _unless(len(varied) > 1, "It needs two hyperparameters that vary between complete trials.")
    reported = any(t.scores for t in record if t.state in ("COMPLETE", "PRUNED", "RUNNING"))
    unreported = _unless(reported, "No epoch is finished yet.")
    unstarted = _unless(any(t.start for t in record), "No trial has started yet.")
    contour_note = f" The first {CONTOUR_PARAMS} hyperparameters." if len(varied) > CONTOUR_PARAMS else ""
    drawings = [
        draw("intermediate", "Intermediate values", INTERMEDIATE, lambda: _epochs(study, record, metric), unreported),
        draw("parallel", "Parallel coordinates", PARALLEL, parallel, one),
        draw("slice", "Slices", SLICE, slices, none),
        draw("contour", "Contours", CONTOUR + contour_note, contour, one or pair),
        draw("importances", "Importances", IMPORTANCES.format(n=len(complete)), importances, one or flat or pair),
        draw("timeline", "Timeline", TIMELINE, lambda: _dated(plots.plot_timeline(study), record), unstarted),
    ]
    return [replace(d, wide=d.key in ("parallel", "slice", "contour")) for d in drawings]


INTERMEDIATE = "A line each trial: blue complete, orange pruned, green running."
PARALLEL = "A line each complete trial, darker where the score is better."
SLICE = "Each complete trial against one hyperparameter at a time, darker the later it was asked."
CONTOUR = "The best score met for each pair of values, interpolated between the dots, where it is only a guess."
IMPORTANCES = "PED-ANOVA: what sets the best tenth of the {n} complete trials apart. From few trials, a hint at most."
TIMELINE = "When each trial ran (UTC)."


def _unless(fine: Any, reason: str) -> str:
    return "" if fine else reason


def _complete(record: StudyRecord) -> list[TrialRecord]:
    """Complete trials with a finite score: what most of Optuna's plots draw."""
    return [t for t in record.finished if t.state == "COMPLETE" and t.value is not None and math.isfinite(t.value)]


def _varied(trials: Sequence[TrialRecord]) -> list[str]:
    """Hyperparameters with at least two values among ``trials``."""
    names = dict.fromkeys(name for t in trials for name in t.params)
    return [name for name in names if len({str(t.params[name]) for t in trials if name in t.params}) > 1]


def _epochs(study: optuna.Study, record: StudyRecord, metric: str) -> go.Figure:
    """Optuna's intermediate values, coloured by state; its steps start at 0, our epochs at 1."""
    figure = optuna.visualization.plot_intermediate_values(study)
    state = {f"Trial{t.number}": t.state for t in record}
    longest = 1
    for trace in figure.data:
        trace.line.update(color=STATE_COLOURS[state.get(trace.name, "RUNNING")], width=1.5)  # asked since
        trace.update(opacity=0.7, marker={"size": 4}, x=[step + 1 for step in trace.x])
        longest = max(longest, *trace.x)
    return figure.update_layout(
        xaxis={"title": "epoch", "dtick": 1 if longest <= 20 else None}, yaxis={"title": metric}
    )


def _on_light(figure: go.Figure) -> go.Figure:
    """Optuna draws the best in the darkest blue: on a dark page it would be gone."""
    return figure.update_layout(plot_bgcolor="#f1f3f6")


def _log_ticks(figure: go.Figure, trials: Sequence[TrialRecord]) -> go.Figure:
    """Ticks at 1, 2, 5, 10 ... on logarithmic axes; plotly's own read '2 3 4 100 2'."""

    def mark(axis: Any) -> None:
        values = [float(t.params[axis.title.text]) for t in trials if axis.title.text in t.params]
        decades = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
        digits = (1, 2, 5) if len(decades) <= 3 else (1,)
        marks = [digit * 10.0**decade for decade in decades for digit in digits]
        axis.update(tickmode="array", tickvals=marks, ticktext=[f"{m:g}" for m in marks])

    for each in (figure.for_each_xaxis, figure.for_each_yaxis):
        each(lambda axis: mark(axis) if axis.type == "log" and axis.title.text else None)
    return figure


def _dated(figure: go.Figure, record: StudyRecord) -> go.Figure:
    """Optuna's timeline with true ends of running trials, which it draws to *local* time, and short hover texts."""
    trials = {t.number: t for t in record}
    now = datetime.now(UTC).replace(tzinfo=None)
    figure.data = [trace for trace in figure.data if trace.name != "WAITING"]  # they have no time
    for trace in figure.data:
        trace.marker.color = STATE_COLOURS.get(trace.name, "#7F7F7F")
        drawn = [trials.get(n) for n in trace.y]  # a trial may have been asked since the records were read
        trace.text = [plain_text(_hover(t)) if t else "" for t in drawn]
        if trace.name == "RUNNING":
            trace.x = [(now - t.start).total_seconds() * 1000 if t and t.start else 0 for t in drawn]
    figure.update_layout(xaxis={"title": ""}, yaxis={"title": "trial"}, bargap=0.1)
    return figure


def _hover(trial: TrialRecord) -> str:
    score = "" if trial.value is None else f": {trial.value:.5g}"
    retried = f", retry of trial {trial.history[-1]}" if trial.history else ""
    words = [word for word, said in ((", void", trial.void), (", set by hand", trial.by_hand)) if said]
    return f"trial {trial.number}{score}{retried}{''.join(words)}"


def draw(key: str, title: str, caption: str, plot: Callable[[], go.Figure], why_not: str = "") -> Drawing:
    """A drawing of what ``plot`` gives; a sentence where it fails or ``why_not`` says that there is nothing to plot."""
    if why_not:
        return Drawing(key, title, caption, why_not=why_not)
    try:
        with quiet():
            figure = plot()
    except Exception as error:  # a plot that fails must not cost the report
        return Drawing(key, title, caption, why_not=f"It could not be drawn: {type(error).__name__}: {error}")
    figure.update_layout(title=None, template=None)  # the page's own
    return Drawing(key, title, caption, figure)
