"""Which training images are for validation: a function of the labels and a seed."""

import numpy as np
from numpy.typing import NDArray

from .source import DataError


def train_and_validation(
    labels: NDArray[np.int64], validation: float | int, train_size: int | None, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the training and of the validation images, each class in its share, each part sorted.

    A function of its arguments alone. Validation comes first, so `train_size` changes the training part only.

    Raises:
        DataError: more images are asked for than there are.
    """
    n = len(labels)
    n_validation = round(validation * n) if isinstance(validation, float) else validation
    if not 1 <= n_validation < n:
        raise DataError(
            f"validation={validation!r} of {n:,} training images leaves nothing to train or to validate on."
        )
    n_train = n - n_validation if train_size is None else train_size
    if n_train > n - n_validation:
        raise DataError(
            f"train_size={train_size} is more than the {n - n_validation:,} images left of {n:,} after "
            f"{n_validation:,} for validation."
        )
    everything = np.arange(n, dtype=np.int64)
    held_out = _stratified(labels, everything, n_validation, seed)
    rest = np.setdiff1d(everything, held_out)
    return (rest if train_size is None else _stratified(labels, rest, n_train, seed)), held_out


def _stratified(labels: NDArray[np.int64], among: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64]:
    """`n` of the indices `among`, the classes by largest remainder, ties to the lower label."""
    rng = np.random.default_rng([seed, n])
    classes, counts = np.unique(labels[among], return_counts=True)
    quota = n * counts / len(among)
    take = np.floor(quota).astype(int)
    take[np.argsort(take - quota, kind="stable")[: n - take.sum()]] += 1
    parts = [rng.permutation(among[labels[among] == label])[:k] for label, k in zip(classes, take, strict=True)]
    return np.sort(np.concatenate(parts))


def stratified_folds(
    labels: NDArray[np.int64], folds: int, train_size: int | None, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Indices of the training and of the validation images of each fold, each part sorted; a function of its arguments.

    Every image is in the validation part of one fold. The parts differ by one image at the most, and so does a class's
    share in them. `train_size` thins out the training parts, each class in its share.

    Raises:
        DataError: more folds or images are asked for than there are.
    """
    n = len(labels)
    if folds > n:
        raise DataError(f"folds={folds} is more than the {n:,} training images.")
    rng = np.random.default_rng([seed, n, folds])
    # Class after class dealt out like cards: the next class goes on where the one before it ended.
    dealt = np.concatenate([rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)])
    fold_of = np.empty(n, dtype=np.int64)
    fold_of[dealt] = np.arange(n) % folds
    parts = [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(folds)]
    if train_size is None:
        return parts
    least = min(len(training) for training, _ in parts)
    if train_size > least:
        raise DataError(f"train_size={train_size} is more than the {least:,} images left of {n:,} beside a fold.")
    return [(_stratified(labels, training, train_size, seed), validation) for training, validation in parts]
