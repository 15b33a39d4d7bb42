"""What a source of images is: it reads a whole split as arrays and knows nothing of caches."""

from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

SplitName = Literal["train", "test"]
RGB = tuple[float, float, float]


class DataError(ValueError):
    """The images cannot be had; the message names the place and the cure."""


class Pictures(NamedTuple):
    """A split, read.

    Attributes:
        images: (n, 32, 32, 3), uint8, RGB.
        labels: (n,), int64, indices into `classes`.
        statistics: mean and standard deviation per channel where they are known beforehand, scaled to [0, 1].
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: list[str]
    statistics: tuple[RGB, RGB] | None = None


class Source(Protocol):
    """Raises DataError wherever the images cannot be had; only `read` may import torch."""

    def check(self) -> None:
        """Ask the cheap questions about the training images, before anything is written or downloaded."""

    def identity(self, split: SplitName) -> str:
        """A text that changes when the files of the split do."""

    def has_test(self) -> bool:
        """Whether there is something to read the test split from, short of a network."""

    def read(self, split: SplitName) -> Pictures:
        """Decode every image of a split."""
