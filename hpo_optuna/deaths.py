"""The rules of life and death in the trial table: who has died, and what becomes of the trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from .patient import patient
from .processes import is_awake, is_dead, this_process
from .records import ENDED, ENGINE_KEYS, ERROR, WORKER, history

UNCLAIMED_SECONDS = 20.0  # a worker signs a trial milliseconds after it is created, seconds on a starving machine
GRACE_SECONDS = 120.0  # of silence, after which another host's worker is dead; a heartbeat comes every 30
Beats: TypeAlias = dict[int, tuple[datetime | None, float]]  # of each RUNNING trial: the last one, and its age
MAX_DEATHS = 10  # a trial whose workers die this often (out of memory, say) has failed


def retry(study: Study, trial: FrozenTrial, **system_attrs: Any) -> None:
    """Queue ``trial`` once more with the same parameters, as Optuna's own retry callback writes it."""
    attrs = {k: v for k, v in trial.system_attrs.items() if not k.startswith("completed_rung_")}
    past = history(trial)
    study.add_trial(
        create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={k: v for k, v in trial.user_attrs.items() if k not in ENGINE_KEYS},
            system_attrs={
                **attrs,
                "failed_trial": past[0] if past else trial.number,
                "retry_history": [*past, trial.number],
                **system_attrs,
            },
        )
    )


def end_dead_trial(study: Study, trial: FrozenTrial, reason: str) -> None:
    """End a trial whose worker is gone, and queue its retry.

    The retry is queued first: whoever dies between the two steps leaves a double retry, which is void, and never a
    lost trial. A trial that died before its first suggestion and is the youngest is void instead: the next one asked
    has its index.
    """
    youngest = all(t.number <= trial.number for t in study.get_trials(deepcopy=False))
    chosen = trial.params or history(trial) or "fixed_params" in trial.system_attrs
    deaths = trial.system_attrs.get("deaths", 0) + 1
    set_attr(study, trial, ENDED, reason)
    if deaths >= MAX_DEATHS:
        set_attr(study, trial, ERROR, f"its worker died {deaths} times; out of memory?")
    elif chosen or not youngest:
        retry(study, trial, deaths=deaths)
    try:
        study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    except UpdateFinishedTrialError:
        pass  # another worker was faster, or the trial's own worker was only suspended


def set_attr(study: Study, trial: FrozenTrial, key: str, value: Any) -> None:
    """Write a user attribute on a trial that this process does not run; nothing where it has ended meanwhile."""
    try:
        study._storage.set_trial_user_attr(trial._trial_id, key, value)
    except UpdateFinishedTrialError:
        pass


class Sweeper:
    """Ends the RUNNING trials of dead workers. It remembers only since when a trial has shown no sign of life."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[tuple[int, object], float] = {}

    def sweep(self, study: Study, trials: Sequence[FrozenTrial]) -> tuple[bool, bool]:
        """End the dead trials of ``study``: this host's at once, other hosts' after ``GRACE_SECONDS`` of silence.

        Args:
            study: the study.
            trials: all its trials, read a moment ago.

        Returns:
            Whether the study can be asked for a trial, and whether its trials have changed. A RUNNING trial that
            nobody has signed yet is in the first milliseconds of its life, or its worker died in them: until that is
            clear, its index is unknown, and so is the next one's.
        """
        ready, changed = True, False
        beats: Beats | None = None  # asked for once, and only where somebody may be silent
        for trial in (t for t in trials if t.state == TrialState.RUNNING):
            worker = trial.user_attrs.get(WORKER)
            if worker is None:
                if self._unchanged(trial, "unsigned") < UNCLAIMED_SECONDS:
                    ready = False
                    continue
                reason = "its worker died before it signed the trial"
            elif worker == this_process() or is_dead(worker):  # a worker that sweeps is running no trial
                reason = f"its worker died (process {worker['pid']} on {worker['host']})"
            elif is_awake(worker):
                continue
            else:
                beats = self._beats(study) if beats is None else beats
                if not self._silent(trial, beats):
                    continue
                reason = (
                    f"its worker was silent for {GRACE_SECONDS:.0f} s (process {worker['pid']} on {worker['host']})"
                )
            end_dead_trial(study, trial, reason)
            changed = True
        return ready, changed

    def _unchanged(self, trial: FrozenTrial, sign: object) -> float:
        """Seconds since this process first saw ``trial`` with its present ``sign`` of life."""
        return self._clock() - self._since.setdefault((trial._trial_id, sign), self._clock())

    @staticmethod
    def _beats(study: Study) -> Beats:
        storage = patient(study._storage)
        if storage is None:
            return {}  # no database, no other process
        trouble = storage.patience.trouble
        if trouble is not None and time.monotonic() - trouble < GRACE_SECONDS:
            return {}  # while the database was away, nobody could give a sign of life
        return storage.heartbeats(study._study_id)

    def _silent(self, trial: FrozenTrial, beats: Beats) -> bool:
        if trial._trial_id not in beats:
            return False  # it has ended
        beat, age = beats[trial._trial_id]
        # By our own clock too: it may have died before its first heartbeat, and the database's clock may be set back.
        return max(age, self._unchanged(trial, beat)) > GRACE_SECONDS
