"""The swarm at work: a figure rebuilt from the study's trials alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import Study

from ._book import Book
from ._cube import Cube
from ._sampler import PSOSampler
from ._swarm import Floats, History

if TYPE_CHECKING:
    from optuna.visualization._plotly_imports import go

_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22")


def swarm_figure(
    study: Study,
    x: str | None = None,
    y: str | None = None,
    *,
    sampler: PSOSampler | None = None,
    max_frames: int = 100,
) -> go.Figure:
    """Positions, velocities and bests of the particles over time, in the plane of two parameters.

    A slider goes through the evaluated trials in order of index. Large dots are the particles where they stand,
    the lines behind them how they came there, diamonds their own bests, the star the leader, small dots what was
    evaluated before.

    Args:
        study: A study that a `PSOSampler` has searched, whichever process did.
        x: The parameter along the horizontal axis; by default the first in order of name.
        y: The parameter along the vertical axis; by default the next.
        sampler: The sampler with the options of the search; by default the study's if it is one, else a default one.
        max_frames: Moments that are drawn at most, evenly spaced, the last one always.

    Raises:
        ValueError: if the trials do not have these parameters, or not two that vary.
        ImportError: if plotly is missing.
    """
    from optuna.visualization._plotly_imports import _imports, go  # late: it brings plotly and matplotlib

    _imports.check()
    if sampler is None:
        sampler = study.sampler if isinstance(study.sampler, PSOSampler) else PSOSampler()
    view = Book().overview(study)
    space = {name: d for name, d in view.common_space().items() if not d.single()}
    x, y = _choose(list(space), x, y)
    cube = Cube(space)
    history = view.history(cube)
    trials = len(history.x)
    shown = np.unique(np.linspace(0, trials - 1, min(max_frames, trials)).round().astype(int))
    steps = [_traces(history, t + 1, cube, x, y, sampler.n_particles) for t in shown]
    numbers = [str(history.index[t]) for t in shown]
    figure = go.Figure(
        data=steps[-1] if steps else [],
        frames=[go.Frame(data=data, name=str(t)) for t, data in enumerate(steps)],
    )
    figure.update_layout(
        title=f"Particle swarm of {study.study_name}: {sampler.n_particles} particles, {trials} trials",
        xaxis=_axis(x, space[x]),
        yaxis=_axis(y, space[y]),
        sliders=[_slider(numbers)] if steps else [],
        updatemenus=[_play()] if steps else [],
    )
    return figure


def _choose(names: list[str], x: str | None, y: str | None) -> tuple[str, str]:
    for name in (x, y):
        if name is not None and name not in names:
            raise ValueError(f"{name!r} is not a parameter that varies in all trials; these are {names}.")
    rest = [name for name in names if name not in (x, y)]
    x = x or (rest.pop(0) if rest else None)
    y = y or (rest.pop(0) if rest else None)
    if x is None or y is None:
        raise ValueError(f"A plane needs two parameters that vary in all trials, got {names}.")
    return x, y


def _traces(history: History, t: int, cube: Cube, x: str, y: str, n_particles: int) -> list[Any]:
    """What is drawn once the first t trials are known."""
    rows = np.arange(t)
    past = _values(history.x[:t], cube, x, y)
    tails: tuple[list[Any], list[Any]] = ([], [])
    heads, bests, colours, labels = [], [], [], []
    for particle in range(n_particles):
        own = rows[history.index[:t] % n_particles == particle]
        if not len(own):
            continue
        (x0, x1), (y0, y1) = _values(history.x[[own[-2] if len(own) > 1 else own[-1], own[-1]]], cube, x, y)
        tails[0].extend([x0, x1, None])
        tails[1].extend([y0, y1, None])
        heads.append((x1, y1))
        bests.append(history.x[history.ranking.first(own)[0]])
        colours.append(_COLOURS[particle % len(_COLOURS)])
        labels.append(f"particle {particle}, trial index {history.index[own[-1]]}")
    best = _values(np.array(bests), cube, x, y)
    leader = _values(history.x[history.ranking.first(rows)[:1]], cube, x, y)
    small = {"size": 4, "color": "#bbbbbb"}
    diamond = {"size": 11, "color": colours, "symbol": "diamond-open"}
    star = {"size": 16, "color": "#d62728", "symbol": "star"}
    from optuna.visualization._plotly_imports import go

    return [
        go.Scatter(x=past[0], y=past[1], mode="markers", marker=small, name="evaluated", hoverinfo="skip"),
        go.Scatter(x=tails[0], y=tails[1], mode="lines", line={"color": "#888888"}, name="last move"),
        go.Scatter(x=best[0], y=best[1], mode="markers", marker=diamond, name="own best", hoverinfo="skip"),
        go.Scatter(x=leader[0], y=leader[1], mode="markers", marker=star, name="leader", hoverinfo="skip"),
        go.Scatter(
            x=[head[0] for head in heads],
            y=[head[1] for head in heads],
            mode="markers",
            marker={"size": 10, "color": colours},
            text=labels,
            name="particle",
        ),
    ]


def _values(positions: Floats, cube: Cube, x: str, y: str) -> tuple[list[Any], list[Any]]:
    params = [cube.to_params(position) for position in positions]
    columns = ([p[x] for p in params], [p[y] for p in params])
    return tuple(  # type: ignore[return-value]
        [str(value) for value in column] if _is_categorical(cube.space[name]) else column
        for name, column in zip((x, y), columns, strict=True)
    )


def _is_categorical(distribution: BaseDistribution) -> bool:
    return isinstance(distribution, CategoricalDistribution)


def _axis(name: str, distribution: BaseDistribution) -> dict[str, Any]:
    if isinstance(distribution, CategoricalDistribution):
        choices = [str(choice) for choice in distribution.choices]
        return {"title": name, "type": "category", "categoryarray": choices, "range": [-0.5, len(choices) - 0.5]}
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]
    if distribution.log:  # type: ignore[attr-defined]
        low, high = np.log10(low), np.log10(high)
    margin = 0.03 * (high - low)
    kind = "log" if distribution.log else "linear"  # type: ignore[attr-defined]
    return {"title": name, "type": kind, "range": [low - margin, high + margin]}


def _slider(labels: list[str]) -> dict[str, Any]:
    at_once = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    return {
        "active": len(labels) - 1,
        "currentvalue": {"prefix": "trial index "},
        "steps": [{"method": "animate", "label": label, "args": [[str(t)], at_once]} for t, label in enumerate(labels)],
    }


def _play() -> dict[str, Any]:
    pace = {"frame": {"duration": 200, "redraw": False}, "transition": {"duration": 100}}
    stop = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}}
    return {
        "type": "buttons",
        "direction": "left",
        "x": 1.0,
        "xanchor": "right",
        "y": 1.12,
        "buttons": [
            {"method": "animate", "label": "Play", "args": [None, pace]},
            {"method": "animate", "label": "Pause", "args": [[None], stop]},
        ],
    }
