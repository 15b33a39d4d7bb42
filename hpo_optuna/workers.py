"""The one worker function: pick a study, run a trial, until nothing is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import cloudpickle
import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from .deaths import Sweeper
from .errors import StorageLost, StudyStopped, UserError
from .matrix import PlannedStudy, check, open_studies
from .objective import Objective
from .patience import plainly
from .patient import obey
from .plan import Budget, ComparisonPlan
from .processes import Process, is_dead
from .records import EXHAUSTED, StudyRecord
from .stop import Stop, signals_to
from .storage import check_place, open_storage

POLL_SECONDS = 0.2
MAX_FAILURES = 3  # this many configurations in a row that fail end their study


def giving_up(record: StudyRecord, first: int) -> str | None:
    """The last error, if the last ``MAX_FAILURES`` configurations since trial ``first`` all failed; else None.

    A grid tries a failed point again: its tries count as one.
    """
    errors: dict[int, str] = {}
    ended = (t for t in record if t.number >= first and t.end is not None and not t.void)
    for trial in sorted(ended, key=lambda t: t.number, reverse=True):
        if trial.finished:
            return None
        if trial.error is not None:
            errors.setdefault(trial.index, trial.error)
        if len(errors) == MAX_FAILURES:
            return next(iter(errors.values()))
    return None


@dataclass
class _Desk:
    """A worker's view of one study."""

    opened: PlannedStudy
    objective: Objective
    first: int  # number of the first trial after this worker came
    record: StudyRecord = field(init=False)

    def look(self, sweeper: Sweeper) -> bool:
        """Sweep, read the trial table, and say whether a trial may be asked for."""
        study = self.opened.study
        trials = study.get_trials(deepcopy=False)
        ready, changed = sweeper.sweep(study, trials)
        self.record = self.opened.record(study.get_trials(deepcopy=False) if changed else trials)
        for trial in self.record:
            if trial.void and trial.state == "WAITING":
                _discard(study, trial.number)
        return ready and self._open()

    def _open(self) -> bool:
        budget, record = self.objective.plan.budget, self.record
        if _spent(budget, record) or giving_up(record, self.first) is not None:
            return False
        return record.count("WAITING") > 0 or self.opened.unasked() != 0

    @property
    def exhausted(self) -> bool:
        """Whether the sampler has given all it has, and nobody can bring a point back."""
        left = self.running + self.record.count("WAITING")
        return not _spent(self.objective.plan.budget, self.record) and not left and self.opened.unasked() == 0

    @property
    def running(self) -> int:
        return self.record.count("RUNNING")

    @property
    def fraction(self) -> float:
        return self.objective.plan.budget.fraction(self.record.live, self.record.epochs)


def _spent(budget: Budget, record: StudyRecord) -> bool:
    # WAITING trials are inside the budget, but someone has to run them.
    taken = record.live - record.count("WAITING")
    return (budget.trials is not None and taken >= budget.trials) or (
        budget.epochs is not None and record.epochs >= budget.epochs
    )


def _discard(study: optuna.Study, number: int) -> None:
    trial = study.get_trials(deepcopy=False)[number]
    try:
        study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    except UpdateFinishedTrialError:
        pass  # another worker was faster


def work(
    plan: ComparisonPlan,
    storage: BaseStorage,
    *,
    only: tuple[str, ...] = (),
    stop: Stop | None = None,
    parent: Process | None = None,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Run trials of ``plan`` until its studies are done and no trial of another worker can still come back.

    Any number of processes may do this on one database, on one machine or several.

    Args:
        plan: what to run; its task must be prepared.
        storage: the open database.
        only: labels of samplers to run; empty for all.
        stop: ends the work early when requested.
        parent: the process that started this one; when it is gone, the worker finishes its trial and leaves.
        tick: called after every report and while waiting.

    Raises:
        StudyStopped: a study's trials keep failing; the others were run to their end first.
        UserError: the database holds other studies under these names.
    """
    stop = stop or Stop()
    obey(storage, stop)
    sweeper = Sweeper()
    desks = [
        _Desk(
            opened,
            Objective(plan, opened.replicate, stop, tick),
            len(opened.study.get_trials(deepcopy=False)),
        )
        for opened in open_studies(plan, storage, only)
    ]
    while not stop.requested and not (parent is not None and is_dead(parent)):
        askable = [desk for desk in desks if desk.look(sweeper)]
        if askable:
            _run_one(min(askable, key=lambda desk: (desk.running > 0, desk.fraction)))
        elif any(desk.running for desk in desks):
            time.sleep(POLL_SECONDS)
        else:
            break
        tick()
    for desk in desks:
        if not stop.requested and desk.exhausted:
            desk.opened.study.set_user_attr(EXHAUSTED, True)
    failing = [(d, reason) for d in desks if (reason := giving_up(d.opened.record(), d.first)) is not None]
    if failing:
        raise StudyStopped(
            "\n".join(
                f"study {desk.opened.study.study_name} was stopped: {MAX_FAILURES} configurations in a row failed, "
                f"the last with {reason}"
                for desk, reason in failing
            )
        )


def _run_one(desk: _Desk) -> None:
    """One trial of one study, by ``study.optimize``, since only that sends heartbeats."""
    study, objective = desk.opened.study, desk.objective
    objective.refused = None
    try:
        study.optimize(objective, n_trials=1, catch=(Exception,))
    except KeyboardInterrupt:
        objective.stop.requested = True
    except (UpdateFinishedTrialError, AssertionError):
        pass  # The trial was taken away while it ran (this worker was suspended): its retry is another's now.
    except ValueError as error:
        if not str(error).startswith("Cannot tell"):  # likewise
            raise
    except UnboundLocalError as error:  # Optuna's own, where the database is lost while it writes a result
        raise error.__context__ if isinstance(error.__context__, StorageLost) else error from None
    if objective.refused is not None and desk.opened.unasked() != 0:
        raise objective.refused  # not the end of a grid: the sampler is broken


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Optuna logs errors only inside the block."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)


@plainly()
def work_here(plan: ComparisonPlan, url: str, *, only: tuple[str, ...] = (), parent: Process | None = None) -> None:
    """What a worker process does: prepare the task, open the database, :func:`work`.

    Raises:
        KeyboardInterrupt: a signal asked it to end; its trial is queued again.
    """
    stop = Stop()
    check(plan, only)
    check_place(url)
    with quiet_optuna(), signals_to(stop):
        prepare_task(plan)
        had = parent is not None  # then it was open in the parent a moment ago
        storage = open_storage(url, create=not had, leave=(lambda: stop.requested) if had else None)
        work(plan, storage, only=only, stop=stop, parent=parent)
    if stop.requested:
        raise KeyboardInterrupt


def work_from_stdin() -> None:
    """:func:`work_here` with an order of :class:`.crew.Crew` read from standard input."""
    order = cloudpickle.loads(sys.stdin.buffer.read())
    work_here(order["plan"], order["url"], only=order["only"], parent=order["parent"])


def prepare_task(plan: ComparisonPlan) -> None:
    """Let the task prepare its data, if it has any.

    Raises:
        UserError: the data are missing or damaged.
    """
    prepare = getattr(plan.task, "prepare", None)
    if prepare is not None:
        try:
            prepare()
        except (ValueError, OSError) as error:
            raise UserError(str(error)) from error
