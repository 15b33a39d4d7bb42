"""The figure: share of targets reached by evaluations, a line a sampler."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .plan import BUDGETS, Race
from .problems import CORNER
from .results import Results
from .runs import PSO
from .tables import TARGETS, values

GRID = np.unique(np.geomspace(5, BUDGETS[-1], 30).astype(int))


def save_figure(races: list[Race], results: Results, path: Path) -> None:
    """One panel a race; f5 left out."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "samplers", "font.size": 9})
    figure, axes = plt.subplots(1, len(races), figsize=(4.2 * len(races), 3.4), sharey=True, squeeze=False)
    for axis, race in zip(axes[0], races, strict=True):
        rows = [r for r in results.of(race.setting, race.names, race.cells) if r[0].cell.function != CORNER]
        if not rows:
            continue
        reached = np.array([(values(rows, n)[..., None] <= TARGETS).mean(axis=(0, 2)) for n in GRID])
        for i in np.argsort(-reached[-1]):
            ours = race.names[i] == PSO
            color = "#d62728" if ours else f"C{(0, 1, 2, 4, 5, 6, 7, 8, 9)[i % 9]}"
            axis.plot(
                GRID, reached[:, i], color=color, lw=2.4 if ours else 1.2, label=race.names[i], zorder=3 if ours else 2
            )
        axis.set(title=race.title, xlabel="evaluations", xlim=(GRID[0], GRID[-1]))
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=7, loc="upper left")
    axes[0, 0].set(ylabel="share of targets reached", ylim=(0, None))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
