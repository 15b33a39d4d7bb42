"""What a sampler draws of its own work, for samplers that do."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING

import optuna
from optuna.distributions import json_to_distribution

from .figures import Drawing, draw
from .records import StudyRecord
from .registry import figure_of, make_sampler

if TYPE_CHECKING:
    import plotly.graph_objects as go


def sampler_drawing(study: optuna.Study, record: StudyRecord) -> list[Drawing]:
    """The sampler's own figure, found by name; none where its module has none. Its docstring is the caption."""
    fingerprint = record.attrs.get("fingerprint") or {}
    spec = fingerprint.get("sampler")
    figure = figure_of(str(spec["name"])) if spec else None
    if spec is None or figure is None:
        return []

    def plot() -> go.Figure:
        space = {name: json_to_distribution(json.dumps(d)) for name, d in fingerprint["space"].items()}
        sampler = make_sampler(spec["name"], space, seed=0, **spec["options"])
        return figure(study, sampler=sampler).update_layout(height=560)

    caption = " ".join((inspect.getdoc(figure) or "").partition("Args:")[0].split())
    return [draw("sampler", "The sampler at work", caption, plot, "" if record.best else "No trial is complete yet.")]
