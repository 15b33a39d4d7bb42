"""The digits that come with scikit-learn: no network, no folder."""

from dataclasses import dataclass

import numpy as np

from .source import Pictures, SplitName


@dataclass(frozen=True)
class Digits:
    """1,797 handwritten digits, 8x8 pixels of 0 to 16 grey levels, each pixel enlarged to 4x4.

    The last fifth of every class (355 images) is the test split.
    """

    def check(self) -> None:
        return

    def identity(self, split: SplitName) -> str:
        return f"scikit-learn digits, enlarged 4 times, {split}"

    def has_test(self) -> bool:
        return True

    def read(self, split: SplitName) -> Pictures:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        grey = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
        labels = bunch.target.astype(np.int64)
        test = np.zeros(len(labels), dtype=bool)
        for digit in range(10):
            (where,) = np.nonzero(labels == digit)
            test[where[-(len(where) // 5) :]] = True
        chosen = test if split == "test" else ~test
        images = np.kron(grey[chosen], np.ones((1, 4, 4), dtype=np.uint8))
        return Pictures(np.repeat(images[..., None], 3, axis=3), labels[chosen], [str(d) for d in range(10)])
