"""What a task is: a generator of scores. No torch, no Optuna."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Score:
    """One epoch of training. `float(score)` is the validation accuracy.

    Attributes:
        accuracy: share of the validation images that are classified correctly, in [0, 1].
        loss: mean cross-entropy on the validation images, in nats.
        train_loss: mean of what was minimised (label smoothing included) over the epoch, in nats, measured
            while the weights moved.
        seconds: wall-clock time of the epoch with its validation.
    """

    accuracy: float
    loss: float
    train_loss: float
    seconds: float

    def __float__(self) -> float:
        return self.accuracy


@dataclass(frozen=True)
class FinalScore:
    """The one look at the test split. `float(score)` is the test accuracy.

    Attributes:
        accuracy: share of the test images that are classified correctly, in [0, 1].
        loss: mean cross-entropy on the test images, in nats.
        path: the saved model; what a task writes there is its own affair.
    """

    accuracy: float
    loss: float
    path: Path

    def __float__(self) -> float:
        return self.accuracy


class Diverged(RuntimeError):
    """Training is pointless: the loss is NaN or infinite, or the net still guesses after its warm-up."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Task(Protocol):
    """A generator of scores: `task(config, seed=...)` trains one epoch, yields one score, and so on.

    Any generator function is a task. One that also has the following gets more:

    - `max_steps: int`: scores of a full run, for budgets and progress;
    - `metric: str`: what the scores are called; one that ends in "accuracy" is shown in percent;
    - `fingerprint: Mapping[str, Any]`: JSON-able; what the scores depend on beside the configuration;
    - `check(config)`: raises ValueError for a configuration that cannot be trained;
    - `prepare()`: once per machine, before workers start (download, decode);
    - `finalize(config, *, seed, directory) -> FinalScore`: trains on everything but the test split and tests
      once;
    - `provenance() -> Mapping[str, Any]`: versions and device, for the record.

    Raises `Diverged` where going on is pointless. Closing the generator frees what it holds.
    """

    def __call__(self, config: Mapping[str, Any], *, seed: int) -> Iterator[Score | float]: ...
