"""What the studies remember of the test set, as results: each winner's, and each sampler's over its replicates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from .looks import FINAL, Event, events, sentences
from .notes import markdown
from .records import StudyRecord
from .summary import labels
from .units import Unit, counted

Interval = tuple[float, float, float]  # mean, low, high


@dataclass(frozen=True)
class FinalResult:
    """One study's winner on the test split.

    Attributes:
        label, replicate: the study.
        trial: number of the trial that won.
        params: its configuration.
        validation: the score that won.
        tests: test scores of the retrained winner, one per seed.
        paths: the saved models.
        diverged: retrainings that gave no model.
        gap: how much better ``validation`` is than the mean test score; positive where it flattered.
    """

    label: str
    replicate: int
    trial: int
    params: Mapping[str, Any]
    validation: float
    tests: tuple[float, ...]
    paths: tuple[str, ...]
    diverged: int = 0
    direction: str = "maximize"

    def interval(self, confidence: float = 0.95) -> Interval:
        """(mean, low, high) of the test score over the seeds, by Student's t; NaN ends for a single seed."""
        return student(self.tests, confidence)

    @property
    def gap(self) -> float:
        return (1.0 if self.direction == "maximize" else -1.0) * (self.validation - self.interval()[0])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "params": dict(self.params), **_named(self.interval()), "gap": self.gap}


@dataclass(frozen=True)
class SamplerFinal:
    """One sampler's winners on the test split; the unit is the replicate.

    Attributes:
        label: the sampler.
        replicates, models: how many winners, and how many models of them in all.
        validation: mean of the scores that won.
        test: mean over replicates of the mean test score, with the 95 % Student-t interval.
        gap: the same of the gap between the score that won and the mean test score.
    """

    label: str
    replicates: int
    models: int
    validation: float
    test: Interval
    gap: Interval

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), **{name: _named(getattr(self, name)) for name in ("test", "gap")}}


def student(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """(mean, low, high) by Student's t; NaN ends for fewer than two values."""
    if not values:
        return math.nan, math.nan, math.nan
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan, math.nan
    error = float(stats.sem(values))
    low, high = stats.t.interval(confidence, len(values) - 1, loc=mean, scale=error) if error else (mean, mean)
    return mean, float(low), float(high)


def result(record: StudyRecord, trial: int, seeds: int | None = None) -> FinalResult:
    """What was seen of one trial of a study, of the first ``seeds`` models or of all."""
    looks = [look for look in record.attrs.get(FINAL) or () if look["trial"] == trial]
    looks = sorted(looks, key=lambda look: look["k"])[:seeds]
    row = record.trials[trial]
    good = [look for look in looks if look["score"] is not None]
    assert row.value is not None
    return FinalResult(
        record.label,
        record.replicate,
        trial,
        dict(row.params),
        row.value,
        tuple(look["score"] for look in good),
        tuple(look.get("path", "") for look in good),
        len(looks) - len(good),
        record.direction,
    )


def results(records: Sequence[StudyRecord]) -> tuple[tuple[FinalResult, ...], tuple[FinalResult, ...]]:
    """(each study's latest winner that was tested, winners that were tested before and lost their place)."""
    openings = [e for e in events(records) if e.kind == "opened"]
    latest, earlier = [], []
    for record in records:
        tested = list(dict.fromkeys(look["trial"] for look in record.attrs.get(FINAL) or ()))
        if not tested:
            continue
        chosen = [e.winners[record.name] for e in openings if e.winners.get(record.name) in tested]
        last = chosen[-1] if chosen else tested[-1]
        latest.append(result(record, last))
        earlier += [result(record, trial) for trial in tested if trial != last]
    return tuple(latest), tuple(earlier)


def models_tested(records: Sequence[StudyRecord]) -> int:
    """Looks at the test split in all."""
    return sum(look["score"] is not None for r in records for look in r.attrs.get(FINAL) or ())


def by_sampler(winners: Sequence[FinalResult]) -> tuple[SamplerFinal, ...]:
    """Each sampler over its replicates; winners of which no model was tested are left out."""
    found = []
    for label in dict.fromkeys(w.label for w in winners):
        mine = [w for w in winners if w.label == label and w.tests]
        if mine:
            test, gap = student([w.interval()[0] for w in mine]), student([w.gap for w in mine])
            models = sum(len(w.tests) for w in mine)
            found.append(
                SamplerFinal(label, len(mine), models, float(np.mean([w.validation for w in mine])), test, gap)
            )
    return tuple(found)


def facts(records: Sequence[StudyRecord]) -> dict[str, Any]:
    """All of it, for the JSON beside the report."""
    entries: tuple[Event, ...] = events(records)
    latest, earlier = results(records)
    order = labels(records)
    samplers = sorted(by_sampler(latest), key=lambda s: order.index(s.label))
    return {
        "models_tested": models_tested(records),
        "samplers": [s.as_dict() for s in samplers],
        "winners": [w.as_dict() for w in latest],
        "earlier_winners": [w.as_dict() for w in earlier],
        "log": [asdict(e) for e in entries],
    }


def note(record: StudyRecord, entries: Sequence[Event], unit: Unit) -> str:
    """Markdown on one study for the dashboard: its winner on the test set, and how often the set was looked at.

    Args:
        record: the study.
        entries: the log of the plan's test set.
        unit: how scores are written.
    """
    said = ["### The test set", "", *(markdown(s) for s in sentences(entries, models_tested([record])))]
    latest, earlier = results([record])
    for one in [*latest, *earlier]:
        won = f"- Trial {one.trial}, which won with {unit.score(one.validation)}: test {unit.score(one.interval()[0])}"
        mean_of = f"mean of {counted(len(one.tests), 'fresh training')}{_ends(one.interval(), unit)}"
        said.append(f"{won}, {mean_of}; gap {unit.difference(one.gap)}.")
    said += [f"- {e.day} UTC, {e.kind} by {markdown(e.by)}: {markdown(e.why)}." for e in entries]
    return "\n".join([*said, ""])


def lines(records: Sequence[StudyRecord], unit: Unit) -> list[str]:
    """For the terminal: a line on each sampler, then how often the test set was looked at."""
    said = [
        f"{one.label}: test {unit.score(one.test[0])}{_ends(one.test, unit)}, "
        f"gap {unit.difference(one.gap[0])}{_ends(one.gap, unit)}"
        for one in by_sampler(results(records)[0])
    ]
    return [*said, *sentences(events(records), models_tested(records))]


def _ends(interval: Interval, unit: Unit) -> str:
    """`` (96.80 to 97.84)``; nothing where one value gives no interval."""
    _, low, high = interval
    return "" if math.isnan(low) else f" ({unit.number(low)} to {unit.number(high)})"


def _named(interval: Interval) -> dict[str, float | None]:
    return {name: None if math.isnan(v) else v for name, v in zip(("mean", "low", "high"), interval, strict=True)}
