"""Train LeNet5: one loop, readable from top to bottom.

What makes it fast on a CPU: one thread; the whole set as one uint8 tensor; `index_select` for a batch,
normalised in place; channels_last; ReLU after the pool; bfloat16 only where the CPU has AMX for it. No
loader, no compilation: on nets this small both cost more than they save.

Same configuration and seed, same bits, in any process on the same kind of machine: every draw comes from a
generator keyed by (seed, purpose, epoch), and neither the global generators nor the caller's thread count are
changed between two epochs.
"""

import math
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np

# oneDNN keeps a compiled kernel for every shape it has met, 1,024 of them: a search over widths meets new shapes in
# every trial, and its workers would grow by gigabytes. One trial needs fewer than these.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from .data import Split
from .network import LeNet5
from .task import Diverged, Score

NETWORK: Final = ("C1", "C3", "C5", "F6", "K1", "K3", "activation", "dropout")
EVALUATION_BATCH: Final = 2000
INITIAL, EPOCH, DROPOUT = range(3)  # the purposes of random numbers

WARM_UP: Final = 3  # epochs before a net may be given up as dead


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

    def batch(self, index: Tensor, augment: "Augmentation | None" = None) -> Tensor:
        """Normalised images, (len(index), 3, 32, 32) in channels_last memory."""
        pixels = self.pixels.index_select(0, index)
        if augment is not None:
            pixels = augment(pixels)
        rows = pixels.view(len(index), 32, 96).float().sub_(self.shift).mul_(self.scale)
        return rows.view(len(index), 32, 32, 3).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Augmentation:
    """Random mirror image and random crop, each image on its own. The draws are made on the CPU."""

    flip: bool
    crop: int
    generator: torch.Generator

    def __call__(self, pixels: Tensor) -> Tensor:
        n, device = len(pixels), pixels.device
        if self.flip:
            mirrored = torch.rand(n, generator=self.generator) < 0.5
            (where,) = mirrored.nonzero(as_tuple=True)
            where = where.to(device)
            pixels.index_copy_(0, where, pixels.index_select(0, where).flip(2))
        if self.crop:
            side = 32 + 2 * self.crop
            padded = F.pad(pixels, (0, 0, self.crop, self.crop, self.crop, self.crop))
            offset = torch.randint(2 * self.crop + 1, (2, n, 1), generator=self.generator).to(device)
            # Every run of 96 bytes is a window of a padded row: one strided view, one index_select.
            top = torch.arange(n, device=device)[:, None] * side + torch.arange(32, device=device)
            start = (top + offset[0]) * side + offset[1]
            windows = padded.view(-1).unfold(0, 96, 3)
            pixels = windows.index_select(0, start.view(-1)).view(n, 32, 32, 3)
        return pixels


def pick_device(name: str) -> torch.device:
    """Raises ValueError: CUDA is asked for and not there."""
    if name == "cpu":
        return torch.device("cpu")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ValueError("device='cuda', but torch finds no CUDA device here; use device='auto' or 'cpu'.")
    return torch.device("cuda" if there else "cpu")


def uses_bfloat16(device: torch.device) -> bool:
    """Only AMX makes bfloat16 faster than float32 on a CPU; on CUDA such nets wait for kernels to start."""
    amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return device.type == "cpu" and bool(amx())


def precision(device: torch.device) -> torch.autocast:
    # Without the cache of cast weights: inside an autocast of the caller's it would outlive every step.
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bfloat16(device), cache_enabled=False)


def random_numbers(seed: int, purpose: int, epoch: int, device: torch.device | str = "cpu") -> torch.Generator:
    key = np.random.SeedSequence([seed, purpose, epoch]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(key))


@contextmanager
def alone(device: torch.device) -> Iterator[None]:
    """One thread, gradients on, deterministic CUDA convolutions; what the caller had comes back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.enable_grad())
            if device.type == "cuda":
                stack.enter_context(torch.backends.cudnn.flags(True, benchmark=False, deterministic=True))
            yield
    finally:
        torch.set_num_threads(threads)


def make_optimizer(net: LeNet5, config: Mapping[str, Any]) -> torch.optim.Optimizer:
    lr, decay, weights = config["learning_rate"], config["weight_decay"], net.parameters()
    if config["optimizer"] == "sgd":
        return torch.optim.SGD(weights, lr, momentum=0.9, nesterov=True, weight_decay=decay, fused=True)
    if config["optimizer"] == "adamw":
        return torch.optim.AdamW(weights, lr, weight_decay=decay, fused=True)
    return torch.optim.Adam(weights, lr, weight_decay=decay, fused=True)


def rate(schedule: str, done: float) -> float:
    """Factor on the learning rate after a share `done` in [0, 1) of all steps."""
    if schedule == "linear":
        return 1 - done
    if schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    return 1.0


def train(
    config: Mapping[str, Any],
    images: Images,
    index: NDArray[np.int64],
    *,
    classes: int,
    epochs: int,
    seed: int,
) -> Generator[tuple[LeNet5, float], None, None]:
    """Train on the images `index`; after each epoch the net and the epoch's mean training loss.

    Every image is seen once an epoch, in a new order; the last batch is as small as what is left.

    Raises:
        Diverged: the training loss is NaN or infinite.
    """
    device = images.pixels.device
    members, n, size = torch.from_numpy(index), len(index), config["batch_size"]
    batches = -(-n // size)
    with alone(device):
        net = LeNet5(**{name: config[name] for name in NETWORK}, classes=classes)
        net.initialize(random_numbers(seed, INITIAL, 0))
        net = net.to(device).to(memory_format=torch.channels_last)
        optimizer = make_optimizer(net, config)
    for epoch in range(epochs):
        with alone(device):
            draws = random_numbers(seed, EPOCH, epoch)
            dropout = random_numbers(seed, DROPOUT, epoch, device)
            augment = Augmentation(config["flip"], config["crop"], draws) if config["flip"] or config["crop"] else None
            order = members[torch.randperm(n, generator=draws)].to(device)
            total = torch.zeros((), dtype=torch.float64, device=device)
            for i, batch in enumerate(torch.split(order, size)):
                for group in optimizer.param_groups:
                    group["lr"] = config["learning_rate"] * rate(
                        config["schedule"], (epoch * batches + i) / (epochs * batches)
                    )
                pixels, labels = images.batch(batch, augment), images.labels.index_select(0, batch)
                with precision(device):
                    loss = F.cross_entropy(net(pixels, dropout), labels, label_smoothing=config["label_smoothing"])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total += loss.detach() * len(batch)
                if i % 100 == 99 and not torch.isfinite(total):
                    break
            mean = total.item() / n
        if not math.isfinite(mean):
            raise Diverged(f"the training loss became {mean} in epoch {epoch + 1}")
        yield net, mean


class Evaluation(NamedTuple):
    accuracy: float  # share of images, in [0, 1]
    loss: float  # mean cross-entropy, nats
    spread: float  # largest difference between two images in one class's log-probability, nats


def evaluate(net: LeNet5, images: Images, index: NDArray[np.int64]) -> Evaluation:
    """Compare the net's answers for the images `index` with their labels."""
    device = images.pixels.device
    correct, loss = 0, 0.0
    low, high = (torch.tensor(limit, device=device) for limit in (math.inf, -math.inf))
    with alone(device), torch.inference_mode(), precision(device):
        for batch in torch.split(torch.from_numpy(index).to(device), EVALUATION_BATCH):
            answers = net(images.batch(batch)).float().log_softmax(1)
            labels = images.labels.index_select(0, batch)
            correct += int((answers.argmax(1) == labels).sum())
            loss += F.nll_loss(answers, labels, reduction="sum").item()
            low, high = torch.minimum(low, answers.amin(0)), torch.maximum(high, answers.amax(0))
        spread = (high - low).max().item()
    return Evaluation(correct / len(index), loss / len(index), spread)


def scores(
    config: Mapping[str, Any], split: Split, parts: tuple[NDArray[np.int64], NDArray[np.int64]], *,
    epochs: int, seed: int, device: torch.device,
) -> Generator[Score, None, None]:  # fmt: skip
    """Train on the first of the parts, validate on the second after each epoch.

    Raises:
        Diverged: a loss is NaN or infinite, or the net is dead (see `collapse`).
    """
    training, validation = parts
    images = Images.of(split, device, split.mean, split.std)
    share = np.bincount(split.labels[validation]).max() / len(validation)
    chance = share + 3 * math.sqrt(share * (1 - share) / len(validation))
    classes, best = len(split.classes), 0.0
    start = perf_counter()
    nets = train(config, images, training, classes=classes, epochs=epochs, seed=seed)
    for epoch, (net, train_loss) in enumerate(nets, start=1):
        seen = evaluate(net, images, validation)
        if not math.isfinite(seen.loss):
            raise Diverged(f"the validation loss became {seen.loss} in epoch {epoch}")
        best = max(best, seen.accuracy)
        reason = collapse(train_loss, seen.spread, classes)
        if epoch >= WARM_UP and best <= chance and reason:
            raise Diverged(f"still at chance after {epoch} epochs (validation accuracy {seen.accuracy:.3f}): {reason}")
        yield Score(seen.accuracy, seen.loss, train_loss, perf_counter() - start)
        start = perf_counter()


def collapse(train_loss: float, spread: float, classes: int) -> str | None:
    """Why a net at chance is dead rather than slow, or None.

    At chance is a net of which no epoch's validation accuracy was more than three standard errors above the
    share of the commonest class. From its third epoch on it is given up if

    - it says the same of every image, within 0.005 nats: its units are dead, no gradient passes (untrained
      nets differ by 0.014 at the least, for C1=C3=1 and wider, any activation, 20 seeds, digits and CIFAR-10);
    - or its training loss is worse by 1 % than log(classes), the loss before training: it has blown up.

    A slow net does neither, whatever its learning rate.
    """
    if spread < 0.005:
        return "the net gives one answer for all images"
    if train_loss > 1.01 * math.log(classes):
        return f"its training loss, {train_loss:.4g}, is above that of an untrained net, {math.log(classes):.4g}"
    return None
