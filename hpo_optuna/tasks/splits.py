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
