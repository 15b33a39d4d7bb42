"""What a task is: a generator of scores. No torch, no Optuna."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Score:
    """One epoch of training. `float(score)` is the metric's value: the validation accuracy, unless another was chosen.

    Attributes:
        accuracy: share of the validation images that are classified correctly, in [0, 1].
        loss: mean cross-entropy on the validation images, in nats.
        train_loss: mean of what was minimised (label smoothing included) over the epoch, in nats, measured
            while the weights moved.
        seconds: wall-clock time of the epoch with its validation.
        value: of the chosen metric; None where that is the accuracy.
        costs: what the task was asked for beside the metric, each the smaller the better; None where it was not.
    """

    accuracy: float
    loss: float
    train_loss: float
    seconds: float
    value: float | None = None
    costs: tuple[float, ...] | None = None

    @property
    def final(self) -> float:
        """The value of a trial of which this is the last score."""
        return float(self)

    @property
    def values(self) -> tuple[float, ...]:
        """The same, with the costs behind it."""
        return self.final, *(self.costs or ())

    def __float__(self) -> float:
        return self.accuracy if self.value is None else self.value


@dataclass(frozen=True)
class FoldScore(Score):
    """One fold of a cross-validation, by its net's last epoch. `float(score)` is this fold's value alone.

    Attributes:
        mean: of the values of the folds so far.
        standard_error: of that mean, by the spread of the folds; None for one fold. The folds share training images,
            so it is too small rather than too large.
    """

    mean: float = float("nan")
    standard_error: float | None = None

    @property
    def final(self) -> float:
        """The value of a trial of which this is the last score."""
        return self.mean


@dataclass(frozen=True)
class FinalScore:
    """The one look at the test split. `float(score)` is the metric's value there.

    Attributes:
        accuracy: share of the test images that are classified correctly, in [0, 1].
        loss: mean cross-entropy on the test images, in nats.
        path: the saved model; what a task writes there is its own affair.
        value: of the chosen metric; None where that is the accuracy.
    """

    accuracy: float
    loss: float
    path: Path
    value: float | None = None

    def __float__(self) -> float:
        return self.accuracy if self.value is None else self.value


class Diverged(RuntimeError):
    """Training is pointless: the loss is NaN or infinite, or the net still guesses after its warm-up."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Task(Protocol):
    """A generator of scores: `task(config, seed=...)` trains one epoch, yields one score, and so on.

    Any generator function is a task. One that also has the following gets more:

    - `max_steps: int`: scores of a full run, for budgets and progress;
    - `metric: str`: what the scores are called; one that ends in "accuracy" is shown in percent (`score_name`, where
      a task has another use for the word);
    - `direction`: "maximize" or "minimize", or a pair of them; a plan with another one is refused;
    - `fingerprint: Mapping[str, Any]`: JSON-able; what the scores depend on beside the configuration;
    - `check(config)`: raises ValueError for a configuration that cannot be trained;
    - `prepare()`: once per machine, before workers start (download, decode);
    - `finalize(config, *, seed, directory) -> FinalScore`: trains on everything but the test split and tests
      once;
    - `provenance() -> Mapping[str, Any]`: versions and device, for the record.

    Of two objectives, a score is a pair, or has one as its attribute `values`, and `metrics` names both. Else a
    trial's value is `float` of its last score, or that score's attribute `final` where it has one: of a
    cross-validation each score is one fold's, for a pruner that compares fold with fold, and `final` is their mean.

    Raises `Diverged` where going on is pointless. Closing the generator frees what it holds: no more will be asked
    of this trial. Where a worker is interrupted, KeyboardInterrupt is raised inside the generator, be it between two
    scores: the same configuration and seed will be asked for again, and what saves time then is worth keeping.
    """

    def __call__(self, config: Mapping[str, Any], *, seed: int) -> Iterator[Score | float]: ...
