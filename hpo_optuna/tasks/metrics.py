"""What a net's answers are worth: metrics by name, or any callable of labels and probabilities. No torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Direction: TypeAlias = Literal["maximize", "minimize"]
Labels: TypeAlias = NDArray[np.int64]
Probabilities: TypeAlias = NDArray[np.float64]
MetricFunction: TypeAlias = Callable[[Labels, Probabilities], float]


@dataclass(frozen=True)
class Metric:
    """A metric with its name in words and the direction in which it is better; None where nobody has said."""

    words: str
    direction: Direction | None
    function: MetricFunction


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Share of the images whose most probable class is right, in [0, 1]."""
    return float((probabilities.argmax(1) == labels).mean())


def balanced_accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Mean recall of the classes that occur, in [0, 1]; rare classes weigh as much as common ones."""
    table = confusion(labels, probabilities)
    counts = table.sum(axis=1)
    return float((table.diagonal()[counts > 0] / counts[counts > 0]).mean())


def cross_entropy(labels: Labels, probabilities: Probabilities) -> float:
    """Mean of -log(probability of the right class), in nats, at least 0."""
    # The smallest number, for a probability that has become 0: infinity would end the trial as diverged.
    right = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(np.float64).tiny)
    return float(-np.log(right).mean())


def macro_f1(labels: Labels, probabilities: Probabilities) -> float:
    """Mean of F1 = 2 TP / (2 TP + FP + FN) over the classes that occur or are answered, in [0, 1]."""
    table = confusion(labels, probabilities)
    twice, seen = 2 * table.diagonal(), table.sum(axis=0) + table.sum(axis=1)
    return float((twice[seen > 0] / seen[seen > 0]).mean())


def confusion(labels: Labels, probabilities: Probabilities) -> NDArray[np.int64]:
    """Images of each class (rows) by the class they are taken for (columns), shape (classes, classes)."""
    k = probabilities.shape[1]
    return np.bincount(labels * k + probabilities.argmax(1), minlength=k * k).reshape(k, k)


METRICS: Final[dict[str, Metric]] = {
    "accuracy": Metric("accuracy", "maximize", accuracy),
    "balanced_accuracy": Metric("balanced accuracy", "maximize", balanced_accuracy),
    "cross_entropy": Metric("cross-entropy", "minimize", cross_entropy),
    "macro_f1": Metric("macro F1", "maximize", macro_f1),
}


def metric_of(metric: Any) -> Metric:
    """The metric of this name; of a callable one, named by its own name, with the direction of its attribute so named.

    Raises:
        ValueError: an unknown name, or a callable that cannot be told from others by module and name.
    """
    if isinstance(metric, str) and metric in METRICS:
        return METRICS[metric]
    if not callable(metric):
        raise ValueError(
            f"metric must be one of {', '.join(map(repr, METRICS))} or a function of "
            f"(labels, probabilities), got {metric!r}."
        )
    name = getattr(metric, "__qualname__", "<no name>")
    if "<" in name:
        raise ValueError(
            f"metric {metric!r} has no name that another process could find it by; "
            "define it by def at the top level of a module or plan file."
        )
    direction = getattr(metric, "direction", None)
    if direction not in (None, "maximize", "minimize"):
        raise ValueError(f"{name}.direction must be 'maximize' or 'minimize', got {direction!r}.")
    return Metric(name.replace("_", " "), direction, metric)


def identity(metric: Any) -> str:
    """What tells a metric from others in a fingerprint: its name, or ``module:qualname``."""
    return metric if isinstance(metric, str) else f"{metric.__module__}:{metric.__qualname__}"
