"""K-fold cross-validation: one net a fold, one score a net."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .checkpoint import Checkpoint, checkpointed
from .task import FoldScore, Score

FOLD = 7  # keeps the folds' training seeds apart from others made of the same seed

Parts: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]  # of one fold: training and validation
Train: TypeAlias = Callable[[Parts, int, Checkpoint | None], Generator[Score, None, None]]


def cross_validate(
    train: Train,
    folds: Sequence[Parts],
    seed: int,
    folder: Path | None,
    key: Mapping[str, Any],
    costs: tuple[float, ...] | None = None,
) -> Generator[FoldScore, None, None]:
    """Train fold after fold to its end; after each yield its last score, and the mean of the folds so far.

    Every fold has a training seed of its own. The checkpoints of all folds stay until the last one is trained, so that
    an interrupted trial trains no fold twice.

    Args:
        train: (parts, seed, checkpoint) -> one score an epoch.
        folds: what each fold trains and validates on.
        seed: of the trial.
        folder: for checkpoints; None: none are kept.
        key: what the scores depend on, JSON-able.
        costs: of each score.
    """
    values: list[float] = []
    with ExitStack() as kept:
        for fold, parts in enumerate(folds):
            start = perf_counter()
            own = nullcontext() if folder is None else checkpointed(folder, {**key, "fold": fold})
            checkpoint = kept.enter_context(own)
            fold_seed = int(np.random.SeedSequence([seed, FOLD, fold]).generate_state(1)[0] >> 1)
            *_, last = train(parts, fold_seed, checkpoint)
            values.append(float(last))
            yield FoldScore(
                last.accuracy, last.loss, last.train_loss, perf_counter() - start, last.value, costs,
                mean=float(np.mean(values)), standard_error=standard_error(values),
            )  # fmt: skip


def standard_error(values: Sequence[float]) -> float | None:
    """SD / sqrt(n), the SD with n - 1; None for a single value."""
    return float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
