"""Data set and net of PyTorch's tutorial "Training a classifier", with widths to choose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

C5 = 120


class Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Pays for an image what torchvision's CIFAR10 pays.

    Args:
        images: (n, 32, 32, 3), uint8.
        labels: (n,).
        transform: of a PIL image.
    """

    def __init__(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64], transform: Callable[[Image.Image], Tensor]
    ) -> None:
        self.images, self.labels, self.transform = images, labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[i])), self.labels[i]


class TutorialNet(nn.Module):
    def __init__(self, c1: int, c3: int, f6: int, classes: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.pool = nn.Conv2d(3, c1, 5), nn.Conv2d(c1, c3, 5), nn.MaxPool2d(2, 2)
        self.fc1, self.fc2, self.fc3 = nn.Linear(c3 * 25, C5), nn.Linear(C5, f6), nn.Linear(f6, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        x = F.relu(self.fc2(x))
        return self.fc3(x)  # type: ignore[no-any-return]
