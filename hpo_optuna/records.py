"""Studies as plain records: the only reader of the trial table for everything above it.

The vocabulary of the trial table is decided here, once:

* a **retry** repeats a trial that was ended by the death or the interruption of its worker (or, on a grid, by an
  exception); it carries ``retry_history``, the numbers of its predecessors, and has the first one's index;
* a **void** trial should not have been asked for; it counts nowhere;
* the **index** of a trial is the number of lower-numbered trials that are neither retries nor void;
* a trial is **superseded** when a retry has taken its place, and **live** when it takes up a place in the budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

# Keys of the attributes that the engine writes on a trial.
WORKER, ERROR, ENDED, VOID, SCORES, AUDIT = "worker", "error", "ended", "void", "scores", "audit"
SAMPLER_MS, EPOCHS = "sampler_ms", "epochs"
REFERENCE = "reference"  # a study's attribute: the point against which the plan measures fronts
EXHAUSTED = "exhausted"  # a study's attribute: its sampler, as a grid, has no further point to give
ENGINE_KEYS = frozenset({WORKER, ERROR, ENDED, VOID, SCORES, AUDIT, SAMPLER_MS, EPOCHS, "traceback"})


def history(trial: FrozenTrial) -> tuple[int, ...]:
    """Numbers of the trials that ``trial`` retries, the original first; empty for a fresh trial."""
    return tuple(trial.system_attrs.get("retry_history") or ())


@dataclass(frozen=True)
class Audit:
    """How a pruned trial went on, unreported: it costs no budget, and no sampler or pruner sees it."""

    scores: tuple[float, ...]  # of the epochs after the last reported one
    seconds: float
    diverged: str | None = None  # why it diverged
    error: str | None = None  # the exception that ended it
    final: float | None = None  # what the trial would have been worth, where that is not its last score


@dataclass(frozen=True)
class TrialRecord:
    """One row of the trial table, with the engine's reading of it."""

    number: int
    index: int
    state: str  # COMPLETE, PRUNED, FAIL, RUNNING or WAITING
    value: float | None  # the last epoch's score; None while there is none, or where there are two objectives
    params: Mapping[str, Any]
    scores: tuple[float, ...]  # one per epoch, in order
    start: datetime | None  # naive UTC
    end: datetime | None
    history: tuple[int, ...]  # numbers of the trials that this one retries
    superseded: bool  # a retry has taken its place
    void: bool
    worker: Mapping[str, Any] | None = None  # host, pid and start of the process that runs or ran it
    error: str | None = None  # the exception that failed it
    ended: str | None = None  # why it was pruned as diverged, or how its worker ended
    details: tuple[Mapping[str, float], ...] = ()  # what the task said beside the score, one mapping per epoch
    void_reason: str | None = None  # why it should not have been asked for, if its worker said so
    sampler_ms: float | None = None  # milliseconds spent inside the sampler
    audit: Audit | None = None  # how it went on after the pruner had stopped it
    values: tuple[float, ...] = ()  # one for each objective
    counted: int = 0  # epochs, where there are two objectives: Optuna takes no reports of these
    by_hand: bool = False  # queued by a person, not proposed by the sampler

    @property
    def live(self) -> bool:
        """Whether it takes up a place in the budget of trials."""
        return self.state != "FAIL" and not self.void and not self.superseded

    @property
    def finished(self) -> bool:
        """Whether it is a result: complete or pruned, and counted."""
        return self.live and self.state in ("COMPLETE", "PRUNED")

    @property
    def failed(self) -> bool:
        """Whether it used up its index without a result."""
        return self.state == "FAIL" and not self.void and not self.superseded

    @property
    def epochs(self) -> int:
        """Reported epochs that count: those of a superseded trial are reported again by its retry."""
        return 0 if self.void or self.superseded else len(self.scores) or self.counted

    @property
    def seconds(self) -> float | None:
        """Wall-clock time from start to end, without that of an audit."""
        if not self.start or not self.end:
            return None
        return max(0.0, (self.end - self.start).total_seconds() - (self.audit.seconds if self.audit else 0.0))


def read_trials(trials: Sequence[FrozenTrial], *, foreign: bool = False) -> tuple[TrialRecord, ...]:
    """Records of all trials of one study.

    Args:
        trials: complete and in the order of their numbers.
        foreign: made by another tool, whose user attributes mean what they like.
    """
    histories = {t.number: h for t in trials if (h := history(t))}
    first_with: dict[tuple[int, ...], int] = {}
    for number, past in histories.items():
        first_with.setdefault(past, number)
    state = [t.state.name for t in trials]

    def double(number: int, past: tuple[int, ...]) -> bool:
        # Two workers swept the same dead trial, or its worker was only suspended and finished it after all.
        return first_with[past] != number or any(state[p] in ("COMPLETE", "PRUNED") for p in past)

    void_retries = {n for n, past in histories.items() if double(n, past)}
    originals = {past[0] for past in histories.values()}
    replaced = {past[-1] for n, past in histories.items() if n not in void_retries}

    records: list[TrialRecord] = []
    fresh = 0
    for t in trials:
        past = histories.get(t.number, ())
        # Ended before its first suggestion. (A trial that died there while younger ones ran is retried and counts.)
        blank = t.state.name == "FAIL" and not t.params and not past and t.number not in originals
        attrs = {} if foreign else t.user_attrs
        records.append(
            TrialRecord(
                number=t.number,
                index=records[past[0]].index if past else fresh,
                state=t.state.name,
                value=t.values[0] if t.values and len(t.values) == 1 else None,
                params=t.params,
                scores=tuple(t.intermediate_values[step] for step in sorted(t.intermediate_values)),
                start=t.datetime_start,
                end=t.datetime_complete,
                history=past,
                superseded=t.number in replaced and t.state.name not in ("COMPLETE", "PRUNED"),
                void=blank or t.number in void_retries or VOID in attrs,
                worker=attrs.get(WORKER),
                error=attrs.get(ERROR),
                ended=attrs.get(ENDED),
                details=tuple(attrs.get(SCORES) or ()),
                void_reason=attrs.get(VOID) or ("a double retry" if t.number in void_retries else None),
                sampler_ms=attrs.get(SAMPLER_MS),
                audit=_audit(attrs.get(AUDIT)),
                values=tuple(t.values or ()),
                counted=attrs.get(EPOCHS, 0),
                by_hand=records[past[0]].by_hand if past else "fixed_params" in t.system_attrs,
            )
        )
        fresh += not past and not blank
    return tuple(records)


def _audit(written: Any) -> Audit | None:
    try:
        scores, seconds = tuple(map(float, written["scores"])), float(written["seconds"])
        return Audit(scores, seconds, written.get("diverged"), written.get("error"), written.get("final"))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # not audited, or another tool's attribute of this name


@dataclass(frozen=True)
class StudyRecord:
    """One study of a comparison: one sampler, one replicate."""

    name: str  # <plan>/<label>/seed-<replicate>
    plan: str
    label: str
    replicate: int
    direction: str  # "minimize" or "maximize"; of two objectives both, with a slash between
    trials: tuple[TrialRecord, ...]  # every row, in the order of the numbers
    attrs: Mapping[str, Any] = field(default_factory=dict)  # the study's user attributes
    space: Mapping[str, BaseDistribution] = field(
        default_factory=dict
    )  # what trials suggested from, the latest of each

    def __iter__(self) -> Iterator[TrialRecord]:
        return iter(self.trials)

    def count(self, state: str) -> int:
        """How many counted trials are in ``state``; for FAIL, those that used up their index."""
        return sum(t.state == state and (t.live or t.failed) for t in self.trials)

    @cached_property
    def finished(self) -> tuple[TrialRecord, ...]:
        """Complete and pruned trials in the order of their index."""
        return tuple(sorted((t for t in self.trials if t.finished), key=lambda t: t.index))

    @property
    def live(self) -> int:
        """Places of the budget of trials that are taken."""
        return sum(t.live for t in self.trials)

    @property
    def epochs(self) -> int:
        """Epochs spent."""
        return sum(t.epochs for t in self.trials)

    @property
    def seconds(self) -> float:
        """Seconds spent in trials, summed over the counted ones."""
        return sum(t.seconds or 0.0 for t in self.trials if t.finished or t.failed)

    @property
    def audit_seconds(self) -> float:
        """Seconds that the pruning audit took beside them."""
        return sum(t.audit.seconds for t in self.trials if t.finished and t.audit)

    @cached_property
    def best(self) -> TrialRecord | None:
        """The best complete trial, ties to the lower index; None while there is none."""
        complete = [t for t in self.finished if t.state == "COMPLETE" and t.value is not None]
        sign = -1.0 if self.direction == "maximize" else 1.0
        return min(complete, key=lambda t: (sign * (t.value or 0.0), t.index), default=None)


def study_name(plan: str, label: str, replicate: int) -> str:
    """The name of a study in the database."""
    return f"{plan}/{label}/seed-{replicate}"


def parse_name(name: str) -> tuple[str, str, int] | None:
    """Plan, label and replicate of a study's name; None for a study of another tool."""
    parts = name.rsplit("/", 2)
    if len(parts) != 3 or not parts[2].startswith("seed-") or not parts[2][5:].isdecimal():
        return None
    return parts[0], parts[1], int(parts[2][5:])


def study_record(
    name: str,
    directions: Sequence[StudyDirection],
    trials: Sequence[FrozenTrial],
    attrs: Mapping[str, Any],
    *,
    foreign: bool = False,
) -> StudyRecord:
    """The record of one study."""
    plan, label, replicate = parse_name(name) or ("", name, 0)
    rows = read_trials(trials, foreign=foreign)
    direction = "/".join(d.name.lower() for d in directions)
    space = {param: distribution for t in trials for param, distribution in t.distributions.items()}
    return StudyRecord(name, plan, label, replicate, direction, rows, {} if foreign else attrs, space)


def read(storage: BaseStorage, plan: str) -> tuple[StudyRecord, ...]:
    """All studies of ``plan`` that the database holds, replicate by replicate, in the order of their creation."""
    found = [
        study_record(
            study.study_name,
            study.directions,
            storage.get_all_trials(study._study_id, deepcopy=False),
            study.user_attrs,
        )
        for study in storage.get_all_studies()
        if (parsed := parse_name(study.study_name)) is not None and parsed[0] == plan
    ]
    return tuple(sorted(found, key=lambda s: s.replicate))
