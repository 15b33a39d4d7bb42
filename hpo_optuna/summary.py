"""What was done and who won, study by study: the rows of the status and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from optuna.storages import BaseStorage

from .errors import UserError
from .records import StudyRecord, parse_name, read

PLANNED_SAMPLERS = "planned_samplers"  # a study's attribute: the labels of all samplers of its plan


def load(storage: BaseStorage, plan: str) -> tuple[StudyRecord, ...]:
    """Records of the plan's studies.

    Raises:
        UserError: the database holds none; the message names those that it holds.
    """
    records = read(storage, plan)
    if not records:
        names = {p[0] for s in storage.get_all_studies() if (p := parse_name(s.study_name))}
        held = f"it holds {', '.join(sorted(names))}" if names else "it holds none"
        raise UserError(f"no study of the plan {plan!r} in this database ({held}); start it with `hpo-optuna run`.")
    return records


@dataclass(frozen=True)
class StudySummary:
    """One study in numbers."""

    study: str
    sampler: str
    replicate: int
    complete: int
    pruned: int
    failed: int  # trials that used up their index without a result
    running: int
    waiting: int
    retried: int  # trials that took the place of an interrupted or failed one
    void: int  # trials that should not have been asked for; they count nowhere
    distinct: int  # different configurations among the complete and pruned trials
    epochs: int
    seconds: float  # wall-clock time in trials, summed
    score: float | None  # of the best complete trial
    trial: int | None  # its number
    params: Mapping[str, Any]  # its configuration
    by_hand: bool  # whether it was set by hand, and is no merit of the sampler
    planned_trials: int | None
    planned_epochs: int | None

    @property
    def finished(self) -> int:
        """Trials with a result."""
        return self.complete + self.pruned

    @property
    def repeated(self) -> int:
        """Trials spent on a configuration that the study had met before."""
        return self.finished - self.distinct

    @property
    def spent(self) -> bool:
        """Whether the planned budget is used up."""
        return any(
            whole is not None and used >= whole
            for used, whole in ((self.finished, self.planned_trials), (self.epochs, self.planned_epochs))
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "params": dict(self.params), "repeated": self.repeated, "spent": self.spent}


def summarize(record: StudyRecord) -> StudySummary:
    """The study in numbers."""
    best = record.best
    planned = record.attrs.get("planned") or {}
    return StudySummary(
        study=record.name,
        sampler=record.label,
        replicate=record.replicate,
        complete=record.count("COMPLETE"),
        pruned=record.count("PRUNED"),
        failed=record.count("FAIL"),
        running=record.count("RUNNING"),
        waiting=record.count("WAITING"),
        retried=sum(bool(t.history) and not t.void for t in record),
        void=sum(t.void for t in record),
        distinct=len({json.dumps(t.params, sort_keys=True, default=str) for t in record.finished}),
        epochs=record.epochs,
        seconds=record.seconds,
        score=best.value if best else None,
        trial=best.number if best else None,
        params=dict(best.params) if best else {},
        by_hand=bool(best and best.by_hand),
        planned_trials=planned.get("trials"),
        planned_epochs=planned.get("epochs"),
    )


def planned_replicates(records: Sequence[StudyRecord]) -> int:
    """Replicates that the plan asks for, as of its last run; those that there are, if none says."""
    stated = [int((r.attrs.get("planned") or {}).get("replicates") or 0) for r in records]
    return max([*stated, 0]) or len({r.replicate for r in records})


def missing_samplers(records: Sequence[StudyRecord]) -> tuple[str, ...]:
    """Samplers of the plan, as of its last run, that have no study yet: ``--only`` leaves some for later."""
    stated = dict.fromkeys(name for r in records for name in r.attrs.get(PLANNED_SAMPLERS) or ())
    return tuple(name for name in stated if name not in labels(records))


def labels(records: Sequence[StudyRecord]) -> tuple[str, ...]:
    """Samplers in the order of their creation."""
    return tuple(dict.fromkeys(r.label for r in records))
