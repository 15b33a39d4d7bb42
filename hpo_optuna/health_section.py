"""The report's section on health: records in, HTML and numbers out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import page
from .figures import Drawing, colours
from .health import BINS, WINDOW, SamplerHealth, bins, diversity, health, mishaps
from .page import Html
from .records import StudyRecord
from .summary import labels
from .units import Unit

SOFT = (
    "Repeats are finished trials of a configuration that their study had met before, with a fresh training seed. The "
    "noise is the SD of final scores of one configuration over training seeds, from configurations that a sampler's "
    "studies have completed more than once; the degrees of freedom say from how many. Sampler time is the median "
    "inside the sampler a trial, by the clock, with what the sampler itself reads and writes of the database."
)
COVERED = (
    f"Share of each parameter's range in which a study has trials: of its values, or of {BINS} bins of equal width on "
    "its own scale where it has more. Mean over replicates."
)
DIVERSE = (
    f"Mean distance of the last {WINDOW} finished trials in the unit cube, as a share of its diagonal; mean over "
    "replicates. A search that converges falls, one that has collapsed lies near 0."
)
DRAWN = "Trials in each bin of each parameter, all replicates: darker is more."
LONGEST, MOST = 300, 12  # characters of a reason, trials named in a row


def section(records: Sequence[StudyRecord], unit: Unit) -> tuple[str, str, Html]:
    """The whole section."""
    found = health(records)
    shade = colours(labels(records))
    return page.section(
        "health",
        "Health",
        page.paragraph(SOFT, "soft"),
        _samplers(found, shade, unit),
        *_coverage(found, shade),
        page.figure(strips(records), "all-"),
        page.figure(diversities(records), "all-"),
        *_mishaps(records, shade),
    )


def as_dict(records: Sequence[StudyRecord]) -> dict[str, Any]:
    """The section's numbers, for JSON."""
    return {
        "samplers": [h.as_dict() for h in health(records)],
        "mishaps": [
            {"sampler": m.label, "kind": m.kind, "reason": m.reason, "trials": [list(t) for t in m.trials]}
            for m in mishaps(records)
        ],
    }


def _samplers(found: Sequence[SamplerHealth], shade: dict[str, str], unit: Unit) -> Html:
    head = ["Sampler", "Finished", "Distinct", "Repeated", "Epochs on repeats", "Noise SD", "df", "Sampler ms"]
    rows = [
        [
            page.join(page.dot(shade[h.label]), h.label),
            h.finished,
            h.distinct,
            h.repeated,
            "-" if math.isnan(h.repeat_share) else f"{h.repeat_share:.0%}",
            "-" if math.isnan(h.noise_sd) else unit.difference(h.noise_sd),
            h.noise_df,
            "-" if math.isnan(h.sampler_ms) else f"{h.sampler_ms:.3g}",
        ]
        for h in found
    ]
    return page.table(head, rows, numeric=range(1, len(head)))


def _coverage(found: Sequence[SamplerHealth], shade: dict[str, str]) -> list[Html]:
    names = list(dict.fromkeys(name for h in found for name in h.coverage))
    if not names:
        return []
    rows = [
        [
            page.join(page.dot(shade[h.label]), h.label),
            *(f"{h.coverage[n]:.0%}" if n in h.coverage else "-" for n in names),
        ]
        for h in found
    ]
    return [page.paragraph(COVERED, "soft"), page.table(["Coverage", *names], rows, numeric=range(1, len(names) + 1))]


def strips(records: Sequence[StudyRecord]) -> Drawing:
    """Where the trials lie: a row of each sampler and parameter, a column of each bin."""
    import plotly.graph_objects as go

    rows: dict[str, list[float | None]] = {}
    counts: dict[tuple[str, str], list[int]] = {}
    for record in records:
        for name, of in bins(record).items():
            before = counts.setdefault((name, record.label), [0] * len(of))
            if len(before) == len(of):
                counts[name, record.label] = [a + b for a, b in zip(before, of, strict=True)]
    for (name, label), of in sorted(counts.items(), key=lambda item: item[0][0]):
        # Every row is as wide as the page, however few bins it has.
        wide = [of[i * len(of) // (BINS * 6)] for i in range(BINS * 6)]
        rows[f"{name} · {label}"] = [n / max(1, max(of)) for n in wide]
    key, title = "coverage", "Where the trials lie"
    if not any(any(of) for of in counts.values()):
        return Drawing(key, title, DRAWN, why_not="No trial is finished yet.")
    figure = go.Figure()
    x = [(i + 0.5) / (BINS * 6) for i in range(BINS * 6)]
    figure.add_heatmap(
        x=x, y=list(rows), z=list(rows.values()), colorscale=[[0, "rgba(0,114,178,0)"], [1, "rgba(0,114,178,1)"]],
        zmin=0, zmax=1, showscale=False, ygap=3, hovertemplate="%{y}: %{z:.0%} of the fullest bin<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        xaxis={"title": "place in the range, on the parameter's scale", "range": [0, 1]},
        yaxis={"autorange": "reversed"},
        height=110 + 24 * len(rows),
        template=None,
    )
    return Drawing(key, title, DRAWN, figure)


def diversities(records: Sequence[StudyRecord]) -> Drawing:
    """Diversity of each sampler against trials."""
    import plotly.graph_objects as go

    key, title = "diversity", "Diversity over time"
    figure = go.Figure()
    for label, colour in colours(labels(records)).items():
        lines = [diversity(r) for r in records if r.label == label and r.space]
        length = min((len(line) for line in lines if len(line)), default=0)
        if length:
            mean = np.mean([line[:length] for line in lines if len(line)], axis=0)
            figure.add_scatter(
                x=list(range(2, length + 2)), y=[round(float(v), 4) for v in mean], name=label, mode="lines",
                line={"color": colour, "width": 2}, showlegend=True,
            )  # fmt: skip
    if not figure.data:
        return Drawing(key, title, DIVERSE, why_not="It needs two finished trials of a study.")
    figure.update_layout(
        xaxis={"title": "trials (complete and pruned)"},
        yaxis={"title": "mean distance", "rangemode": "tozero"},
        height=320,
        template=None,
    )
    return Drawing(key, title, DIVERSE, figure)


def _mishaps(records: Sequence[StudyRecord], shade: dict[str, str]) -> list[Html]:
    rows = [
        [
            page.join(page.dot(shade[m.label]), m.label),
            m.kind,
            len(m.trials),
            m.reason if len(m.reason) <= LONGEST else m.reason[:LONGEST] + " …",
            ", ".join(f"{r}/{n}" for r, n in m.trials[:MOST]) + (" …" if len(m.trials) > MOST else ""),
        ]
        for m in mishaps(records)
    ]
    if not rows:
        return [page.paragraph("No trial failed, diverged, was retried or was void.")]
    head = ["Sampler", "What happened", "Trials", "Reason", "Replicate/trial"]
    return [Html("<h3>What went wrong</h3>"), page.table(head, rows, numeric=(2,))]
