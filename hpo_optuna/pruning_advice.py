"""How to set the pruner, from audited trials: the median rule replayed on whole curves, and what follows from it."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from .pruning import Pruning, StudyPruning
from .units import counted

ENOUGH = 20  # audited trials: with fewer, an interval for 'none was lost' reaches beyond one in six
STARTUPS = (1, 3, 5, 10)
MOST_WARMUPS = 8
KEPT = 0.95  # of the studies must keep their best trial
CLOSE = 0.8  # a rank correlation from which on an early score ranks nearly as the final one


@dataclass(frozen=True)
class Replay:
    """What the median rule of one setting would have done to trials whose whole curves are known.

    Attributes:
        warmup, startup: ``n_warmup_steps`` and ``n_startup_trials`` of Optuna's ``MedianPruner``.
        saved: share of the epochs that would not have been trained.
        lost: studies in which the trial with the best final score would have been stopped.
        studies: how many there are.
    """

    warmup: int
    startup: int
    saved: float
    lost: int
    studies: int


def median_rule(curves: Sequence[Sequence[float]], warmup: int, startup: int) -> list[int | None]:
    """After how many epochs the median rule stops each trial, one after the other; None where it does not.

    The rule of ``optuna.pruners.MedianPruner``: a trial is stopped where the best of its scores so far is worse than
    the median of what complete trials had at that step.

    Args:
        curves: scores by epoch of each trial in the order they ran, larger is better.
        warmup: no trial is stopped before this step; steps start at 0.
        startup: nor before this many trials are complete.
    """
    at_step: list[list[float]] = [[] for _ in range(max(map(len, curves), default=0))]
    complete, found = 0, []
    for curve in curves:
        stop = _stop(curve, at_step, warmup) if complete >= max(1, startup) else None
        found.append(stop)
        if stop is None:
            complete += 1
            for step, score in enumerate(curve):
                insort(at_step[step], score)
    return found


def _stop(curve: Sequence[float], at_step: Sequence[Sequence[float]], warmup: int) -> int | None:
    best = -math.inf
    for step, score in enumerate(curve):
        best = max(best, score)
        if step >= warmup and at_step[step] and best < _middle(at_step[step]):
            return step + 1
    return None


def _middle(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def replay(studies: Sequence[StudyPruning], warmup: int, startup: int) -> Replay:
    """The median rule on the trials of ``studies``, each audited in full; the trials are taken as they were asked."""
    saved = whole = lost = 0
    for study in studies:
        curves = study.curves
        stops = median_rule(curves, warmup, startup)
        whole += sum(map(len, curves))
        saved += sum(len(curve) - stop for curve, stop in zip(curves, stops, strict=True) if stop)
        finals = [curve[-1] for curve in curves]
        lost += stops[finals.index(max(finals))] is not None
    return Replay(warmup, startup, saved / whole if whole else 0.0, lost, len(studies))


def replays(pruning: Pruning) -> list[Replay]:
    """The median rule at every setting worth a look; none where no study is audited in full."""
    studies = pruning.full
    length = max((s.length for s in studies), default=0)
    warmups = sorted({round(i * (length - 1) / MOST_WARMUPS) for i in range(MOST_WARMUPS)}) if length > 1 else []
    if length - 1 <= MOST_WARMUPS:
        warmups = list(range(length - 1))
    present = present_setting(pruning)
    settings = {(w, s) for w in warmups for s in STARTUPS} | ({present} if present and warmups else set())
    return [replay(studies, *setting) for setting in sorted(settings)]


def present_setting(pruning: Pruning) -> tuple[int, int] | None:
    """``n_warmup_steps`` and ``n_startup_trials`` of the plan's median pruner; None where it has another."""
    for study in pruning.studies:
        stored = (study.record.attrs.get("fingerprint") or {}).get("pruner") or {}
        if stored.get("class") == "MedianPruner":
            return int(stored.get("_n_warmup_steps", 0)), int(stored.get("_n_startup_trials", 5))
    return None


def best_setting(found: Sequence[Replay]) -> Replay | None:
    """The one that saves most among those that keep the best trial in nearly all studies; ties to the gentler."""
    kept = [r for r in found if r.lost <= (1 - KEPT) * r.studies + 1e-9]
    return max(kept, key=lambda r: (round(r.saved, 9), r.startup, r.warmup), default=None)


def advice(pruning: Pruning) -> str:
    """A recommendation for warm-up and start-up in words, or why there is none."""
    n = len(pruning.audited)
    if not pruning.stopped.k:
        return "The pruner has stopped no trial: there is nothing to recommend."
    if n < ENOUGH:
        return (
            f"Too few audited trials to say how the pruner should be set: there are {n}, it takes {ENOUGH}. "
            "A run with --audit 1 follows every stopped trial to its end, beside the budget."
        )
    if sum(len(s.audited) for s in pruning.full) < ENOUGH:
        return f"{_by_ranks(pruning.rank_correlations)} How to set n_startup_trials takes a full audit: --audit 1."
    return _by_replay(replays(pruning), present_setting(pruning))


def _by_ranks(correlations: Sequence[float]) -> str:
    for epoch, rho in enumerate(correlations, start=1):
        if rho >= CLOSE:
            return (
                f"From epoch {epoch} on, scores rank the trials nearly as the final ones do (rank correlation at least "
                f"{CLOSE:g}): n_warmup_steps={epoch - 1} lets the pruner judge from there."
            )
    return (
        f"At no epoch before the last do scores rank the trials nearly as the final ones (rank correlation {CLOSE:g}): "
        "stopping trials early is a gamble here."
    )


def _by_replay(found: Sequence[Replay], present: tuple[int, int] | None) -> str:
    if not found:
        return "Trials of one epoch leave nothing to prune."
    best, studies = best_setting(found), found[0].studies
    now = next((r for r in found if (r.warmup, r.startup) == present), None)
    mine = (
        ""
        if now is None
        else f" The plan's {_named(now)} saves {now.saved:.0%} and stops the best trial of {now.lost}."
    )
    if best is None:
        return (
            f"No setting of the median rule keeps the best trial in {KEPT:.0%} of {counted(studies, 'study')} whose "
            f"curves are known in full.{mine} Without a pruner nothing is lost."
        )
    return (
        f"Replayed on the whole curves of {counted(studies, 'study')}, the median rule with {_named(best)} saves most, "
        f"{best.saved:.0%} of the epochs, of all settings that keep the best trial in at least {KEPT:.0%} of them."
        f"{mine} A hint, no proof: it was chosen by the same curves, and a search that loses other trials goes on "
        "otherwise."
    )


def _named(r: Replay) -> str:
    return f"n_warmup_steps={r.warmup} and n_startup_trials={r.startup}"
