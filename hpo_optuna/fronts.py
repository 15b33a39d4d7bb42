"""Studies with two objectives, as fronts and as the share of the plane that their fronts dominate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .curves import within_budget
from .pareto import Array, hypervolume, nondominated
from .records import REFERENCE, StudyRecord, TrialRecord

HYPERVOLUME = "hypervolume"


@dataclass(frozen=True)
class Box:
    """The part of the plane in which fronts are measured, the same for all studies of a plan.

    Attributes:
        reference: the corner that is worst in both objectives, in the unit of the objectives.
        ideal: the best value of each objective that any study has reached.
        given: whether the plan names the reference point; else it is the worst value that any study has met.
        signs: -1 where an objective is maximized, 1 where it is minimized.
    """

    reference: tuple[float, ...]
    ideal: tuple[float, ...]
    given: bool
    signs: tuple[float, ...]

    def share(self, points: Array) -> float:
        """Share of the box that ``points``, shape (n, 2), in the unit of the objectives, dominate; in [0, 1]."""
        signs, reference = np.array(self.signs), np.array(self.reference)
        sides = signs * reference - signs * np.array(self.ideal)
        area = float(np.prod(sides)) if (sides > 0).all() else 1.0
        return hypervolume(points * signs, reference * signs) / area


def several(records: Sequence[StudyRecord]) -> bool:
    """Whether these studies have two objectives."""
    return bool(records) and "/" in records[0].direction


def signs(record: StudyRecord) -> tuple[float, ...]:
    """-1 for every objective that is maximized, 1 for every other one."""
    return tuple(-1.0 if d == "maximize" else 1.0 for d in record.direction.split("/"))


def complete(record: StudyRecord) -> list[TrialRecord]:
    """Trials within the budget that have finite values, by index."""
    whole = [t for t, _, all_of_it in within_budget(record) if all_of_it and t.state == "COMPLETE"]
    return [t for t in whole if t.values and all(map(math.isfinite, t.values))]


def box(records: Sequence[StudyRecord]) -> Box | None:
    """Where the fronts of these studies are measured; None while no trial is complete."""
    points = np.array([t.values for r in records for t in complete(r)])
    if not len(points):
        return None
    sign = signs(records[0])
    oriented = points * np.array(sign)
    given = next((tuple(map(float, r.attrs[REFERENCE])) for r in records if r.attrs.get(REFERENCE)), None)
    worst = tuple(float(v) for v in oriented.max(axis=0) * sign)
    best = tuple(float(v) for v in oriented.min(axis=0) * sign)
    return Box(given or worst, best, given is not None, sign)


def front(records: Sequence[StudyRecord]) -> list[tuple[StudyRecord, TrialRecord]]:
    """The trials of these studies that none of them dominates, by the first objective."""
    rows = [(r, t) for r in records for t in complete(r)]
    if not rows:
        return []
    kept = nondominated(np.array([t.values for _, t in rows]) * np.array(signs(records[0])))
    return sorted((row for row, keep in zip(rows, kept, strict=True) if keep), key=lambda row: row[1].values)


def scalar(records: Sequence[StudyRecord]) -> tuple[StudyRecord, ...]:
    """The studies with one objective, to be maximized: what the front up to each trial dominates of the common box.

    So everything that compares best-so-far scores compares fronts. Studies with one objective stay as they are.
    """
    if not several(records):
        return tuple(records)
    common = box(records)
    return tuple(_scalar(record, common) for record in records)


def _scalar(record: StudyRecord, common: Box | None) -> StudyRecord:
    shares: dict[int, float] = {}
    kept: Array = np.empty((0, 2))
    for trial in complete(record) if common else []:
        assert common is not None
        kept = np.vstack([kept, trial.values])
        kept = kept[nondominated(kept * np.array(common.signs))]
        shares[trial.number] = common.share(kept)
    trials = tuple(replace(t, value=shares.get(t.number)) for t in record)
    return replace(record, direction="maximize", trials=trials)
