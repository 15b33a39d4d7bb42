"""Batches: uint8 images on the device, augmented and normalised there."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .data import Split


@dataclass(frozen=True)
class Augmentation:
    """Random mirror image and random crop out of a frame of `crop` zeros, each image on its own."""

    flip: bool
    crop: int

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """For n images, (3, n) int64: mirrored or not, row and column at which the crop begins."""
        chance = torch.zeros(3, n, dtype=torch.int64)
        if self.flip:
            chance[0] = torch.rand(n, generator=generator) < 0.5
        if self.crop:
            chance[1:] = torch.randint(2 * self.crop + 1, (2, n), generator=generator)
        return chance

    def __call__(self, pixels: Tensor, chance: Tensor) -> Tensor:
        """Pixels (n, 32, 32, 3) as `chance` has it. Shapes do not depend on the draw: a CUDA graph needs fixed ones."""
        n, device = len(pixels), pixels.device
        if self.flip:
            pixels = torch.where(chance[0].bool().view(n, 1, 1, 1), pixels.flip(2), pixels)
        if self.crop:
            side = 32 + 2 * self.crop
            padded = F.pad(pixels, (0, 0, self.crop, self.crop, self.crop, self.crop))
            # Every run of 96 bytes is a window of a padded row: one strided view, one index_select.
            top = torch.arange(n, device=device)[:, None] * side + torch.arange(32, device=device)
            start = (top + chance[1, :, None]) * side + chance[2, :, None]
            windows = padded.view(-1).unfold(0, 96, 3)
            pixels = windows.index_select(0, start.view(-1)).view(n, 32, 32, 3)
        return pixels


def deal(index: Tensor, size: int, augment: Augmentation, generator: torch.Generator) -> Tensor:
    """An epoch's chance, (4, len(index)) int64: the images in a new order, and what `Augmentation.draw` says of each.

    One tensor, so that it goes to the device once an epoch. Drawn batch by batch of `size` images.
    """
    order = index[torch.randperm(len(index), generator=generator)]
    sizes = [len(batch) for batch in torch.split(order, size)]
    return torch.cat([order[None], torch.cat([augment.draw(n, generator) for n in sizes], 1)])


@dataclass(frozen=True)
class Images:
    """A split on the device: pixels (n, 32, 32, 3) uint8, labels (n,), and how a row of 96 is normalised."""

    pixels: Tensor
    labels: Tensor
    shift: Tensor
    scale: Tensor

    @staticmethod
    def of(split: Split, device: torch.device, mean: tuple[float, ...], std: tuple[float, ...]) -> "Images":
        # Over whole rows of 32 pixels x 3 channels the arithmetic vectorises; over 3 channels it does not.
        shift = torch.tensor(mean, dtype=torch.float64).mul(255).repeat(32).float().to(device)
        scale = torch.tensor(std, dtype=torch.float64).mul(255).reciprocal().repeat(32).float().to(device)
        pixels, labels = torch.from_numpy(split.images), torch.from_numpy(np.array(split.labels))
        return Images(pixels.to(device), labels.to(device), shift, scale)

    def batch(self, index: Tensor) -> Tensor:
        """Normalised images, (len(index), 3, 32, 32) in channels_last memory."""
        return self.normalised(self.pixels.index_select(0, index))

    def normalised(self, pixels: Tensor) -> Tensor:
        n = len(pixels)
        rows = pixels.view(n, 32, 96).float().sub_(self.shift).mul_(self.scale)
        return rows.view(n, 32, 32, 3).permute(0, 3, 1, 2)
