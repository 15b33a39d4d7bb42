"""The report's section on the test set: what the winners scored there, beside the scores that they won with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from . import page
from .figures import Drawing, colours
from .final_results import FinalResult, Interval, SamplerFinal, by_sampler, models_tested, results
from .looks import Event, events, sentences, was_opened
from .page import Html
from .records import StudyRecord
from .status import configuration
from .summary import labels
from .units import Unit, counted

READ = (
    "Each study's winner was trained anew with fresh seeds, on training and validation images together, and each model "
    "tested once. Means over replicates with 95 % Student-t intervals; the replicate, its models averaged, is the "
    "unit. The gap is the score that won less the mean test score: a winner's validation score flatters it (the "
    "winner's curse), and training on more images makes up for some of that."
)
DRAWN = "Open circles: validation scores that won, mean. Dots: test scores, mean with 95 % interval. Small: replicates."


def test_set(records: Sequence[StudyRecord], unit: Unit) -> tuple[str, str, Html]:
    """The section; before `finalize` a sentence."""
    entries = events(records)
    said = [page.paragraph(text) for text in sentences(entries, models_tested(records))]
    latest, earlier = results(records)
    samplers = by_sampler(latest)
    parts: list[str] = [*said]
    if samplers:
        metric = unit.metric.replace("validation ", "").replace("cross-validated ", "")
        parts += [
            page.paragraph(READ, "soft"),
            _samplers(samplers, records, unit, metric),
            page.figure(drawing(samplers, latest, labels(records), metric), "all-"),
            page.folded("Winner by winner", _winners(latest, earlier, unit)),
        ]
    if was_opened(entries):
        parts.append(page.folded("Every look at the test set", _log(entries), unfolded=len(entries) > 1))
    return page.section("test-set", "Test set", *parts)


def _samplers(samplers: Sequence[SamplerFinal], records: Sequence[StudyRecord], unit: Unit, metric: str) -> Html:
    shade = colours(labels(records))
    head = ["Sampler", "Replicates", "Models", "Validation that won", f"Test {metric}", "95 % interval"]
    rows: list[list[object]] = []
    for s in sorted(samplers, key=lambda s: list(shade).index(s.label)):
        row = [page.join(page.dot(shade[s.label]), s.label), s.replicates, s.models, unit.score(s.validation)]
        row += [unit.score(s.test[0]), _interval(s.test, unit), unit.difference(s.gap[0]), _interval(s.gap, unit)]
        rows.append(row)
    return page.table([*head, "Gap", "95 % interval"], rows, numeric=range(1, 8))


def _winners(latest: Sequence[FinalResult], earlier: Sequence[FinalResult], unit: Unit) -> Html:
    head = ["Sampler", "Replicate", "Trial", "Configuration", "Validation that won", "Models", "Test, mean"]
    rows: list[list[object]] = []
    for w, words in [*((w, "") for w in latest), *((w, " (before)") for w in earlier)]:
        mean, chosen = w.interval(), page.code(configuration(w.params))
        row = [w.label, w.replicate, f"{w.trial}{words}", chosen, unit.score(w.validation), _models(w)]
        rows.append([*row, unit.score(mean[0]), _interval(mean, unit), unit.difference(w.gap)])
    return page.join(
        page.paragraph("Intervals over a winner's models: they say what its training seed alone does.", "soft"),
        page.table([*head, "95 % interval", "Gap"], rows, numeric=(1, 2, 4, 5, 6, 7, 8)),
    )


def _models(winner: FinalResult) -> str:
    return f"{len(winner.tests)}" + (f" ({winner.diverged} diverged)" if winner.diverged else "")


def _log(entries: Sequence[Event]) -> Html:
    rows = [[e.day, e.kind, _allowed(e), e.why, e.by, page.code(e.command)] for e in entries]
    return page.table(["When (UTC)", "Event", "Models allowed", "Why", "By", "Command"], rows)


def _allowed(event: Event) -> str:
    if event.kind == "reopened":
        return "-"
    return f"{event.seeds} each of {counted(len(event.winners), 'winner')}"


def _interval(interval: Interval, unit: Unit) -> str:
    _, low, high = interval
    return "-" if math.isnan(low) else f"{unit.number(low)} to {unit.number(high)}"


def drawing(
    samplers: Sequence[SamplerFinal], winners: Sequence[FinalResult], names: Sequence[str], metric: str
) -> Drawing:
    """Validation that won and test, sampler by sampler: dots with intervals."""
    import plotly.graph_objects as go

    figure = go.Figure()
    shade = colours(names)
    for s in samplers:
        colour, text = shade[s.label], s.label.replace("<", "&lt;")
        means = [w.interval()[0] for w in winners if w.label == s.label and w.tests]
        mean, low, high = s.test
        whiskers = None if math.isnan(low) else {"type": "data", "array": [high - mean], "arrayminus": [mean - low]}
        ring = {"symbol": "circle-open", "line": {"width": 2}}
        for name, x, marker, error in (
            ("test, one replicate", means, {"size": 6, "opacity": 0.4}, None),
            ("test, mean", [mean], {"size": 11}, whiskers),
            ("validation that won, mean", [s.validation], {"size": 12, **ring}, None),
        ):
            hover = f"{text}, {name}: %{{x:.5g}}<extra></extra>"
            figure.add_scatter(
                x=x, y=[text] * len(x), mode="markers", name=name, marker={"color": colour, **marker}, error_x=error,
                hovertemplate=hover, showlegend=False,
            )  # fmt: skip
    figure.update_layout(
        xaxis={"title": metric},
        yaxis={"categoryorder": "array", "categoryarray": list(reversed(names))},
        height=110 + 46 * len(samplers),
        template=None,
    )
    return Drawing("test-set", "Validation that won, and test", DRAWN, figure)
