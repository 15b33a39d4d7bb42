"""The pruning audit: what became of trials that the pruner stopped, had it let them go on.

A share of them, chosen by seed and index, trains to the end *unreported*: the further scores go into one attribute of
the trial, which then ends PRUNED like the others, with the scores it had reported. Samplers and pruners see nothing of
it, so the search is the same with and without it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .plan import ComparisonPlan
from .tasks.task import Diverged

STREAM = 6  # tells this draw from the others that begin with the same seed, replicate and index


def is_audited(plan: ComparisonPlan, replicate: int, index: int) -> bool:
    """Whether the trial trains on if the pruner stops it: with a larger share, the same trials and others."""
    return bool(np.random.default_rng([plan.seed, replicate, index, STREAM]).random() < plan.audit)


def train_on(scores: Iterator[Any], tick: Callable[[], None]) -> dict[str, Any]:
    """The rest of ``scores``, as the trial's attribute: ``scores``, ``seconds``, and why they ended early, if they did.

    Whatever the task raises is written down instead: without the audit, it would not have happened.
    """
    began = time.monotonic()
    found: list[float] = []
    ended: dict[str, Any] = {}
    last: dict[str, float] = {}
    try:
        for score in scores:
            value = float(score)
            if hasattr(score, "final"):
                last = {"final": float(score.final)}
            if not math.isfinite(value):
                raise Diverged(f"a score of {value}")
            found.append(value)
            tick()
    except Diverged as diverged:
        ended = {"diverged": str(diverged)}
    except Exception as error:
        ended = {"error": f"{type(error).__name__}: {error}"}
    return {"scores": found, "seconds": round(time.monotonic() - began, 3), **last, **ended}
