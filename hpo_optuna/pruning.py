"""What pruning saved and what it lost, from the trials that trained on after the pruner had stopped them.

Pooled over all studies of a plan. Scores are oriented inside: larger is better. A trial that diverged after it was
stopped ended worst of all; one whose task raised has no end and counts only as stopped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property
from statistics import median
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .records import StudyRecord, TrialRecord
from .statistics import clopper_pearson

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """So many of so many, with the exact 95 % interval of the proportion (Clopper and Pearson 1934)."""

    k: int
    n: int

    @property
    def share(self) -> float:
        """NaN of none."""
        return self.k / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """All of [0, 1] where there is nothing to tell from."""
        return clopper_pearson(self.k, self.n) if self.n else (0.0, 1.0)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        low, high = self.interval
        return {"k": self.k, "n": self.n, "share": self.share, "low": low, "high": high}


@dataclass(frozen=True)
class Stopped:
    """A trial that the pruner stopped and the audit followed to its end.

    Attributes:
        label, replicate, number: which trial.
        reported: epochs before it was stopped.
        curve: its scores by epoch, reported and unreported ones, larger is better.
        final: the last of them; minus infinity where it diverged.
        rivals: final scores of the study's trials that were complete when it was stopped.
    """

    label: str
    replicate: int
    number: int
    reported: int
    curve: tuple[float, ...]
    final: float
    rivals: tuple[float, ...]


@dataclass(frozen=True)
class StudyPruning:
    """Pruning in one study; scores larger is better.

    Attributes:
        length: epochs of a whole trial, the longest complete one's; 0 while none is complete.
        stopped: how many trials the pruner stopped; those that diverged by themselves are not among them.
        saved: epochs that these did not train; those of the audit not yet subtracted.
        audited: those of them whose end is known, in the order of their index.
        complete: curves of complete trials by index.
    """

    record: StudyRecord
    length: int
    stopped: int
    saved: int
    audit_epochs: int
    audited: tuple[Stopped, ...]
    complete: dict[int, tuple[float, ...]]

    @property
    def full(self) -> bool:
        """Whether the end of every stopped trial is known."""
        return bool(self.complete) and len(self.audited) == self.stopped

    @property
    def regret(self) -> float:
        """How far the best stopped trial ended above the best complete one, at least 0; NaN where not all are known."""
        if not self.full:
            return math.nan
        best = max(curve[-1] for curve in self.complete.values())
        return max([0.0, *(s.final - best for s in self.audited)])

    @property
    def curves(self) -> list[tuple[float, ...]]:
        """Whole curves of all complete and audited trials in the order of their index; without diverged ones."""
        index = {t.number: t.index for t in self.record}
        found = {**self.complete, **{index[s.number]: s.curve for s in self.audited if s.final > -math.inf}}
        return [found[i] for i in sorted(found)]


def study_pruning(record: StudyRecord) -> StudyPruning:
    """What the pruner did in one study."""
    sign = 1.0 if record.direction == "maximize" else -1.0
    complete = [t for t in record.finished if t.state == "COMPLETE" and t.scores and t.value is not None]
    stopped = [t for t in record.finished if t.state == "PRUNED" and t.ended is None]
    length = max((t.epochs for t in complete), default=0)
    return StudyPruning(
        record=record,
        length=length,
        stopped=len(stopped),
        saved=sum(max(0, length - t.epochs) for t in stopped),
        audit_epochs=sum(len(t.audit.scores) for t in stopped if t.audit),
        audited=tuple(_followed(record, t, complete, sign) for t in stopped if t.audit and not t.audit.error),
        complete={t.index: tuple(sign * s for s in _whole(t.scores, t.value)) for t in complete},
    )


def _followed(record: StudyRecord, trial: TrialRecord, complete: Sequence[TrialRecord], sign: float) -> Stopped:
    assert trial.audit is not None
    curve = tuple(sign * s for s in _whole((*trial.scores, *trial.audit.scores), trial.audit.final))
    final = -math.inf if trial.audit.diverged or not curve else curve[-1]
    rivals = tuple(sign * (t.value or 0.0) for t in complete if _was_complete(t, trial))
    return Stopped(record.label, record.replicate, trial.number, trial.epochs, curve, final, rivals)


def _whole(scores: tuple[float, ...], value: float | None) -> tuple[float, ...]:
    """The scores, ending in what the trial is worth: of a cross-validation that is the mean, not the last fold."""
    return scores if value is None or not scores else (*scores[:-1], value)


def _was_complete(rival: TrialRecord, stopped: TrialRecord) -> bool:
    """Whether ``rival`` was complete when ``stopped`` was stopped, which is before its audit."""
    if rival.end is None or stopped.end is None or stopped.audit is None:
        return rival.number < stopped.number
    return rival.end <= stopped.end - timedelta(seconds=stopped.audit.seconds)


@dataclass(frozen=True)
class Pruning:
    """Pruning in all studies of a plan, pooled."""

    studies: tuple[StudyPruning, ...]

    @cached_property
    def audited(self) -> tuple[Stopped, ...]:
        """Every stopped trial whose end is known."""
        return tuple(s for study in self.studies for s in study.audited)

    @property
    def stopped(self) -> Share:
        """Finished trials that the pruner stopped."""
        return Share(sum(s.stopped for s in self.studies), sum(len(s.record.finished) for s in self.studies))

    @property
    def full(self) -> tuple[StudyPruning, ...]:
        """Studies in which the end of every stopped trial is known."""
        return tuple(s for s in self.studies if s.full)

    @property
    def saved(self) -> int:
        """Epochs not trained."""
        return sum(s.saved for s in self.studies)

    @property
    def audit_epochs(self) -> int:
        """Epochs that the audit trained; no budget pays for them."""
        return sum(s.audit_epochs for s in self.studies)

    @property
    def unpruned(self) -> int:
        """Epochs that the same trials would have taken without a pruner."""
        return self.saved + sum(t.epochs for s in self.studies for t in s.record.finished)

    @property
    def above_median(self) -> Share:
        """Audited trials that ended better than the median of those complete when they were stopped."""
        judged = [s for s in self.audited if s.rivals]
        return Share(sum(s.final > median(s.rivals) for s in judged), len(judged))

    @property
    def above_best(self) -> Share:
        """Audited trials that ended better than the best of those complete when they were stopped."""
        judged = [s for s in self.audited if s.rivals]
        return Share(sum(s.final > max(s.rivals) for s in judged), len(judged))

    @property
    def regrets(self) -> tuple[float, ...]:
        """Of each study that is audited in full: how much better its best stopped trial ended than its best."""
        return tuple(s.regret for s in self.full)

    @cached_property
    def rank_correlations(self) -> tuple[float, ...]:
        """Spearman's correlation of the score after epoch 1, 2, ... with the final one, before the last epoch.

        Over complete and audited trials. Complete ones are survivors: alone, they would understate how well an early
        score ranks, since the poor ones are missing. Where a part of the stopped trials is audited, each of them
        weighs as many as it stands for (stopped / audited, over all studies), which makes up for the others.
        NaN where fewer than three trials are left or all are equal.
        """
        weight = self.stopped.k / len(self.audited) if self.audited else 0.0
        rows = [(curve, curve[-1], 1.0) for s in self.studies for curve in s.complete.values()]
        rows += [(s.curve, s.final, weight) for s in self.audited]
        length = max((s.length for s in self.studies), default=0)
        found = []
        for epoch in range(1, length):
            reached = [(curve[epoch - 1], final, w) for curve, final, w in rows if len(curve) >= epoch]
            found.append(weighted_spearman(*np.array(reached, dtype=float).reshape(-1, 3).T))
        return tuple(found)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "stopped": self.stopped.as_dict(),
            "audited": len(self.audited),
            "epochs": {"unpruned": self.unpruned, "saved": self.saved, "audit": self.audit_epochs},
            "above_median": self.above_median.as_dict(),
            "above_best": self.above_best.as_dict(),
            "rank_correlations": list(self.rank_correlations),
            "regret": [{"study": s.record.name, "regret": s.regret} for s in self.full],
            "audited_trials": [{k: v for k, v in asdict(s).items() if k != "rivals"} for s in self.audited],
        }


def pruning(records: Sequence[StudyRecord]) -> Pruning:
    """What pruning saved and lost in ``records``."""
    return Pruning(tuple(study_pruning(r) for r in records))


def weighted_spearman(x: Array, y: Array, weights: Array) -> float:
    """Spearman's rank correlation in which a pair of weight w counts as w equal pairs; all of shape (n,).

    NaN below three pairs, or where one side has no spread.
    """
    if len(x) < 3:
        return math.nan
    a, b = (_weighted_ranks(v, weights) for v in (x, y))
    a, b = (v - np.average(v, weights=weights) for v in (a, b))
    scale = float(np.sqrt((weights * a**2).sum() * (weights * b**2).sum()))
    return float((weights * a * b).sum()) / scale if scale > 0 else math.nan


def _weighted_ranks(values: Array, weights: Array) -> Array:
    """The middle of the places that each value takes when it stands ``weight`` times in the row."""
    _, group = np.unique(values, return_inverse=True)
    mass = np.bincount(group, weights)
    return np.asarray((np.cumsum(mass) - mass / 2)[group])
