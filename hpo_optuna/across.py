"""Several plans over different tasks: which sampler is better over tasks, by average ranks.

Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7:1 (2006): the task is the unit, and not
scores of different tasks are averaged, but ranks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

import numpy as np

from .comparison import final_scores
from .records import StudyRecord
from .statistics import average_task_ranks, critical_difference, friedman, wilcoxon
from .summary import labels
from .units import counted, listed
from .verdict import Status, is_finished

ACROSS_ALPHA = 0.05


@dataclass(frozen=True)
class Across:
    """The answer over tasks.

    Attributes:
        status: as of one plan: ``difference``, ``no-difference`` or ``preliminary``.
        sentence, notes: the answer in words, and what must be said with it.
        samplers: those that all plans have.
        tasks: plans in which each of them has a score.
        scores: mean of the replicates' final scores, a row each task, a column each sampler.
        ranks: average rank of each sampler over tasks; 1 is best.
        p: of Friedman's test; with two samplers, of Wilcoxon's over tasks; NaN below two tasks.
        critical: Nemenyi's critical difference of average ranks.
    """

    status: Status
    sentence: str
    notes: tuple[str, ...]
    samplers: tuple[str, ...]
    tasks: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...]
    ranks: tuple[float, ...]
    p: float
    critical: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def judge_across(plans: Mapping[str, Sequence[StudyRecord]]) -> Across:
    """Compare the samplers over plans.

    Args:
        plans: plan -> its studies; every plan should be another task.
    """
    common = [name for name in labels(next(iter(plans.values()))) if all(name in labels(r) for r in plans.values())]
    rows: dict[str, tuple[float, ...]] = {}
    oriented = []
    for plan, records in plans.items():
        finals = final_scores(records)
        if common and all(finals[name] for name in common):
            rows[plan] = tuple(mean(finals[name].values()) for name in common)
            sign = 1.0 if records[0].direction == "maximize" else -1.0
            oriented.append([sign * score for score in rows[plan]])
    k, n = len(common), len(rows)
    p, ranks, critical = math.nan, (math.nan,) * k, math.nan
    if k > 1 and n > 1:
        scores = np.array(oriented)
        p = friedman(scores)[0] if k > 2 else wilcoxon(scores[:, 0], scores[:, 1])
        ranks = tuple(float(r) for r in average_task_ranks(scores))
        critical = critical_difference(k, n)
    open_plans = [plan for plan, records in plans.items() if not is_finished(records) or plan not in rows]
    status, sentence, notes = _answer(common, n, ranks, p, critical, open_plans)
    return Across(status, sentence, notes, tuple(common), tuple(rows), tuple(rows.values()), ranks, p, critical)


def _answer(
    names: Sequence[str], n: int, ranks: Sequence[float], p: float, critical: float, open_plans: Sequence[str]
) -> tuple[Status, str, tuple[str, ...]]:
    if len(names) < 2:
        return "preliminary", "Preliminary: the plans have fewer than two samplers in common.", ()
    if open_plans:
        verb = "is" if len(open_plans) == 1 else "are"
        return "preliminary", f"Preliminary: {listed(open_plans)} {verb} not finished; no verdict over tasks yet.", ()
    if n < 2:
        return "preliminary", "Preliminary: one task says nothing about others.", ()
    test = "Friedman's test" if len(names) > 2 else "Wilcoxon's signed-rank test over tasks"
    order = sorted(range(len(names)), key=lambda i: ranks[i])
    standing = listed(f"{names[i]} {ranks[i]:.2f}" for i in order)
    facts = f"Average ranks over {counted(n, 'task')}, 1 is best: {standing}. {test}: p = {p:.3f}."
    apart = [(names[i], names[j]) for i in order for j in order if ranks[j] - ranks[i] > critical - 1e-12]
    notes = [facts, f"Two samplers differ where their average ranks are {critical:.2f} or more apart (Nemenyi)."]
    if critical > len(names) - 1:
        notes.append(f"{counted(n, 'task')} cannot show a difference between these samplers, whatever the scores.")
    if p <= ACROSS_ALPHA and apart:
        best = apart[0][0]
        worse = listed(b for a, b in apart if a == best)
        return "difference", f"Over {counted(n, 'task')}, {best} ranks better than {worse}.", tuple(notes)
    return "no-difference", f"No difference found between {listed(names)} over {counted(n, 'task')}.", tuple(notes)


def cliques(ranks: Sequence[float], critical: float) -> list[tuple[float, float]]:
    """(best, worst) average rank of each largest group whose members differ by less than ``critical``."""
    ordered = sorted(ranks)
    groups: list[tuple[float, float]] = []
    for low in ordered:
        high = max(r for r in ordered if r - low < critical)
        if high > low and (not groups or high > groups[-1][1]):
            groups.append((low, high))
    return groups
