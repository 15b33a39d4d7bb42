"""Is each sampler well: repeats and the noise they show, diversity, coverage, cost, and what went wrong."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from statistics import median
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from .records import StudyRecord, TrialRecord
from .summary import labels

Array: TypeAlias = NDArray[np.float64]

WINDOW = 10  # trials that count as recent
BINS = 10  # of a parameter's range, on its own scale
LISTED = 1000  # whole numbers up to this many are looked at one by one


@dataclass(frozen=True)
class SamplerHealth:
    """One sampler over all its studies.

    Attributes:
        finished, distinct: complete and pruned trials, and the configurations among them that are new to their study.
        repeat_epochs, epochs: of finished trials, those spent on configurations that their study had met before.
        noise_sd: SD of final scores of one configuration over training seeds, pooled over configurations that the
            sampler's studies have completed more than once; NaN where there are none.
        noise_df: its degrees of freedom.
        coverage: parameter -> share of its bins that a study visits, averaged over studies.
        sampler_ms: median milliseconds inside the sampler a trial; NaN where no trial says.
    """

    label: str
    studies: int
    finished: int
    distinct: int
    repeat_epochs: int
    epochs: int
    noise_sd: float
    noise_df: int
    coverage: Mapping[str, float]
    sampler_ms: float

    @property
    def repeated(self) -> int:
        """Finished trials of configurations that their study had met before."""
        return self.finished - self.distinct

    @property
    def repeat_share(self) -> float:
        """Share of the epochs that repeats cost; NaN of none."""
        return self.repeat_epochs / self.epochs if self.epochs else math.nan

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "coverage": dict(self.coverage), "repeated": self.repeated}


def health(records: Sequence[StudyRecord]) -> tuple[SamplerHealth, ...]:
    """Each sampler of ``records``, in the order of their creation."""
    return tuple(_health(label, [r for r in records if r.label == label]) for label in labels(records))


def _health(label: str, studies: Sequence[StudyRecord]) -> SamplerHealth:
    repeats = [t for study in studies for t in repeated(study)]
    finished = [t for study in studies for t in study.finished]
    sd, df = noise(studies)
    names = dict.fromkeys(name for study in studies for name in study.space)
    visited = [coverage(study) for study in studies]
    shares = {name: [v[name] for v in visited if name in v] for name in names}
    return SamplerHealth(
        label=label,
        studies=len(studies),
        finished=len(finished),
        distinct=len(finished) - len(repeats),
        repeat_epochs=sum(t.epochs for t in repeats),
        epochs=sum(t.epochs for t in finished),
        noise_sd=sd,
        noise_df=df,
        coverage={name: float(np.mean(of)) for name, of in shares.items() if of},
        sampler_ms=median([t.sampler_ms for t in finished if t.sampler_ms is not None] or [math.nan]),
    )


def configuration(trial: TrialRecord) -> str:
    """Equal for equal configurations."""
    return json.dumps(dict(trial.params), sort_keys=True, default=str)


def repeated(study: StudyRecord) -> list[TrialRecord]:
    """Finished trials of a configuration that a finished trial of lower index had."""
    met: set[str] = set()
    found = []
    for trial in study.finished:
        (found.append(trial) if configuration(trial) in met else met.add(configuration(trial)))
    return found


def noise(studies: Sequence[StudyRecord]) -> tuple[float, int]:
    """SD of final scores of one configuration, pooled over configurations, and its degrees of freedom.

    Over all studies given, whose training seeds differ. Pruned repeats have no final score, and those are the poor
    ones: the estimate is somewhat low under pruning, unless the audit followed them to their end.
    """
    groups: dict[str, list[float]] = {}
    for trial in (t for study in studies for t in study.finished):
        final = _final(trial)
        if final is not None and math.isfinite(final):
            groups.setdefault(configuration(trial), []).append(final)
    several = [np.array(scores) for scores in groups.values() if len(scores) > 1]
    df = sum(len(scores) - 1 for scores in several)
    squares = sum(float(((scores - scores.mean()) ** 2).sum()) for scores in several)
    return (math.sqrt(squares / df) if df else math.nan), df


def _final(trial: TrialRecord) -> float | None:
    if trial.state == "COMPLETE":
        return trial.value
    if trial.audit and not trial.audit.diverged and not trial.audit.error:
        return [*trial.scores, *trial.audit.scores][-1]
    return None


def position(distribution: BaseDistribution, value: Any) -> float:
    """Where ``value`` lies in its range, in [0, 1] on its own scale; of a category, the middle of its bin."""
    if isinstance(distribution, CategoricalDistribution):
        return (distribution.to_internal_repr(value) + 0.5) / len(distribution.choices)
    low, high = float(distribution.low), float(distribution.high)  # type: ignore[attr-defined]
    if high <= low:
        return 0.5
    if distribution.log:  # type: ignore[attr-defined]
        low, high, value = math.log(low), math.log(high), math.log(value)
    return min(1.0, max(0.0, (float(value) - low) / (high - low)))


def bins(study: StudyRecord) -> dict[str, list[int]]:
    """Parameter -> how many finished trials lie in each of its bins; those that no value falls into are left out."""
    found = {}
    for name, distribution in study.space.items():
        drawn = Counter(_bin(distribution, t.params[name]) for t in study.finished if name in t.params)
        found[name] = [drawn[b] for b in _reachable(distribution)]
    return found


def _values(distribution: BaseDistribution) -> Sequence[Any] | None:
    """The parameter's values where they can be listed."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices
        case IntDistribution(low=low, high=high, step=step) if (high - low) // step < LISTED:
            return range(low, high + 1, step)
    return None


def _bin(distribution: BaseDistribution, value: Any) -> int:
    """Each value its own bin where they are few, else one of :data:`BINS` of equal width on the parameter's scale."""
    values = _values(distribution)
    if values is not None and len(values) <= BINS:
        return values.index(value) if value in values else -1
    return min(BINS - 1, int(position(distribution, value) * BINS))


def _reachable(distribution: BaseDistribution) -> list[int]:
    values = _values(distribution)
    return list(range(BINS)) if values is None else sorted({_bin(distribution, v) for v in values})


def coverage(study: StudyRecord) -> dict[str, float]:
    """Parameter -> share of its bins in which a finished trial lies; none while no trial is finished."""
    return {name: sum(n > 0 for n in of) / len(of) for name, of in bins(study).items()} if study.finished else {}


def diversity(study: StudyRecord, window: int = WINDOW) -> Array:
    """How far apart the recent trials lie, after each trial from the second on.

    The mean distance of all pairs among the last ``window`` finished trials in the unit cube, divided by the cube's
    diagonal; categories are 0 apart or 1. Independent uniform draws have about 0.33 in one dimension, 0.38 in three;
    0 is one point. A parameter that one of a pair lacks counts as equal.

    Returns:
        Shape (finished trials - 1,).
    """
    spread = []
    for end in range(2, len(study.finished) + 1):
        recent = study.finished[max(0, end - window) : end]
        spread.append(float(np.mean([_distance(a, b, study.space) for a, b in combinations(recent, 2)])))
    return np.array(spread)


def _distance(a: TrialRecord, b: TrialRecord, space: Mapping[str, BaseDistribution]) -> float:
    squares = 0.0
    for name, distribution in space.items():
        if name in a.params and name in b.params:
            if isinstance(distribution, CategoricalDistribution):
                squares += a.params[name] != b.params[name]
            else:
                squares += (position(distribution, a.params[name]) - position(distribution, b.params[name])) ** 2
    return math.sqrt(squares / len(space)) if space else 0.0


@dataclass(frozen=True)
class Mishap:
    """Trials of one sampler that went wrong in one way: ``kind`` is failed, diverged, retried or void."""

    label: str
    kind: str
    reason: str
    trials: tuple[tuple[int, int], ...]  # (replicate, number)


def mishaps(records: Sequence[StudyRecord]) -> tuple[Mishap, ...]:
    """Everything that went wrong, grouped by sampler, kind and reason; in a retry's place, what ended its original."""
    found: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for record in records:
        for trial in record:
            for kind, reason in _what_happened(trial):
                found.setdefault((record.label, kind, reason), []).append((record.replicate, trial.number))
    return tuple(Mishap(*key, tuple(trials)) for key, trials in found.items())


def _what_happened(trial: TrialRecord) -> list[tuple[str, str]]:
    if trial.void:
        return [("void", trial.void_reason or "ended before its first suggestion")]
    if trial.superseded:
        return [("retried", _without_process(trial.error or trial.ended))]
    if trial.failed:
        return [("failed", trial.error or trial.ended or UNSAID)]
    after = trial.audit and (trial.audit.diverged or trial.audit.error)
    first = [("diverged", trial.ended)] if trial.finished and trial.ended else []
    return first + ([("after it was pruned", after)] if after else [])


UNSAID = "no reason recorded"


def _without_process(reason: str | None) -> str:
    """``its worker died (process 17 on here)`` without the bracket: ten deaths are one line."""
    return reason.partition(" (process")[0] if reason else UNSAID
