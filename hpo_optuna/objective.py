"""A task's generator as an Optuna objective: suggest, report, prune, close."""

from __future__ import annotations

import dataclasses
import math
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial

from .audit import is_audited, train_on
from .deaths import retry
from .objectives import values_of
from .plan import Budget, ComparisonPlan, suggest, training_seed
from .processes import this_process
from .records import AUDIT, ENDED, EPOCHS, ERROR, SCORES, VOID, WORKER, TrialRecord, read_trials
from .stop import Interrupted, Stop, ending
from .tasks.task import Diverged


class Void(Exception):
    """The trial should not have been asked for."""


class TakenAway(Exception):
    """Another worker declared the trial dead, since this one was suspended for too long."""


def void_reason(trials: Sequence[TrialRecord], number: int, budget: Budget) -> str | None:
    """Why trial ``number`` should not have been asked for, or None: judged after it exists, so that no two disagree."""
    trial = trials[number]
    if trial.void:
        return "a double retry"
    # Its own predecessors still look alive for a moment: a retry is queued before its original is failed.
    older = [t for t in trials[:number] if t.number not in trial.history]
    if budget.trials is not None and sum(t.live for t in older) >= budget.trials:
        return f"the budget of {budget.trials} trials was taken"
    if budget.epochs is not None and sum(t.epochs for t in older) >= budget.epochs:
        return f"the budget of {budget.epochs} epochs was spent"
    return None


class Objective:
    """What ``study.optimize`` calls, for one study of a plan.

    Args:
        plan: the plan.
        replicate: the study's replicate.
        stop: set by signals.
        tick: called after each report, to draw progress.
    """

    def __init__(
        self, plan: ComparisonPlan, replicate: int, stop: Stop, tick: Callable[[], None] = lambda: None
    ) -> None:
        self.plan, self.replicate, self.stop, self.tick = plan, replicate, stop, tick
        self.refused: Exception | None = None

    def __call__(self, trial: optuna.Trial) -> tuple[float, ...]:
        trial.set_user_attr(WORKER, this_process())
        records = read_trials(trial.study.get_trials(deepcopy=False))
        reason = void_reason(records, trial.number, self.plan.budget)
        if reason is not None:
            trial.set_user_attr(VOID, reason)
            raise Void(reason)
        try:
            config = {name: suggest(trial, name, d) for name, d in self.plan.space.items()}
        except UpdateFinishedTrialError as error:
            raise TakenAway from error  # a slow start: others took this worker for dead before it had signed
        except Exception as error:
            self.refused = error  # the sampler has no further point, or it is broken: the worker finds out which
            raise
        index = records[trial.number].index
        try:
            return self._train(trial, config, index)
        except UpdateFinishedTrialError as error:
            raise TakenAway from error
        except KeyboardInterrupt as error:
            trial.set_user_attr(ENDED, "interrupted")
            retry(trial.study, _frozen(trial))
            raise error
        except optuna.TrialPruned:
            raise
        except Exception as error:
            trial.set_user_attr(ERROR, f"{type(error).__name__}: {error}")
            trial.set_user_attr("traceback", traceback.format_exc()[-4000:])
            raise

    def _train(self, trial: optuna.Trial, config: dict[str, Any], index: int) -> tuple[float, ...]:
        details: list[dict[str, Any]] = []
        value: tuple[float, ...] = ()
        try:
            scores = self.plan.task(config, seed=training_seed(self.plan, self.replicate, index))
            if not isinstance(scores, Generator):
                raise TypeError(f"the task must be a generator of scores (use yield), got {scores!r}.")
            with ending(scores, again=(KeyboardInterrupt, UpdateFinishedTrialError)):
                rest = self._interruptible(scores)
                for step, score in enumerate(rest):
                    value = values_of(score)
                    if len(value) != len(self.plan.directions):
                        raise TypeError(f"the plan has {len(self.plan.directions)} objectives, the score {score!r}.")
                    if dataclasses.is_dataclass(score) and not isinstance(score, type):
                        details.append({k: v for k, v in dataclasses.asdict(score).items() if v is not None})
                    if any(map(math.isnan, value)):
                        raise Diverged(f"the score of epoch {step + 1} is NaN")
                    if len(value) > 1:  # Optuna takes no reports of several objectives, and prunes nothing
                        trial.set_user_attr(EPOCHS, step + 1)
                        self.tick()
                        continue
                    trial.report(float(score), step)
                    self.tick()
                    if trial.should_prune():
                        if is_audited(self.plan, self.replicate, index):
                            trial.set_user_attr(AUDIT, train_on(rest, self.tick))
                        raise optuna.TrialPruned
        except Diverged as diverged:
            trial.set_user_attr(ENDED, f"diverged: {diverged}")
            raise optuna.TrialPruned(str(diverged)) from diverged
        finally:
            if details:
                trial.set_user_attr(SCORES, details)
        if not value:
            raise ValueError("the task yielded no score; it must yield at least one.")
        return value

    def _interruptible(self, scores: Iterator[Any]) -> Iterator[Any]:
        """The scores; signals may interrupt their making, and nothing else."""
        while True:
            if self.stop.requested:
                raise Interrupted
            try:
                self.stop.training = True
                score = next(scores)
            except StopIteration:
                return
            finally:
                self.stop.training = False
            yield score


def _frozen(trial: optuna.Trial) -> FrozenTrial:
    return trial.study.get_trials(deepcopy=False)[trial.number]
