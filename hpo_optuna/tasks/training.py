"""Train LeNet5: one loop, readable from top to bottom.

What makes it fast on a CPU: one thread; the whole set as one uint8 tensor; `index_select` for a batch,
normalised in place; channels_last; ReLU after the pool; bfloat16 only where the CPU has a unit for it. No
loader, no compilation: on nets this small both cost more than they save.

Same configuration and seed, same bits, in any process on the same kind of machine: every draw comes from a
generator keyed by (seed, purpose, epoch), and neither the global generators nor the caller's thread count are
changed between two epochs.
"""

import math
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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

from .checkpoint import Checkpoint
from .data import Split
from .device import bfloat16_unit
from .graphs import CudaRecorder, GraphedStep
from .images import Augmentation, Images, deal
from .memory import keep_freed_memory
from .metrics import METRICS, Metric, accuracy
from .network import LeNet5
from .task import Diverged, Score

NETWORK: Final = ("C1", "C3", "C5", "F6", "K1", "K3", "activation", "dropout")
EVALUATION_BATCH: Final = 2000
INITIAL, EPOCH, DROPOUT = range(3)  # the purposes of random numbers

WARM_UP: Final = 3  # epochs before a net may be given up as dead


def uses_bfloat16(device: torch.device) -> bool:
    """Where it is faster on a CPU; on CUDA such nets wait for kernels to start."""
    return device.type == "cpu" and bfloat16_unit() is not None


def precision(device: torch.device) -> torch.autocast:
    # Without the cache of cast weights: inside an autocast of the caller's it would outlive every step.
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bfloat16(device), cache_enabled=False)


def random_numbers(seed: int, purpose: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed(key(seed, purpose, epoch))


def key(seed: int, purpose: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, purpose, epoch]).generate_state(1, np.uint64)[0])


@contextmanager
def alone(device: torch.device) -> Iterator[None]:
    """One thread, gradients on, no autocast, deterministic CUDA convolutions; what the caller had comes back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.enable_grad())
            # `precision` is for the forward pass: the caller's would reach the backward pass, too.
            stack.enter_context(torch.autocast(device.type, enabled=False))
            if device.type == "cuda":
                stack.enter_context(torch.backends.cudnn.flags(True, benchmark=False, deterministic=True))
            yield
    finally:
        torch.set_num_threads(threads)


def make_optimizer(net: LeNet5, config: Mapping[str, Any]) -> torch.optim.Optimizer:
    lr, decay, weights = config["learning_rate"], config["weight_decay"], list(net.parameters())
    graphs = weights[0].device.type == "cuda"  # their steps may be captured: see `graphs`
    if config["optimizer"] == "sgd":
        return torch.optim.SGD(weights, lr, momentum=0.9, nesterov=True, weight_decay=decay, fused=True)
    if config["optimizer"] == "adamw":
        return torch.optim.AdamW(weights, lr, weight_decay=decay, fused=True, capturable=graphs)
    return torch.optim.Adam(weights, lr, weight_decay=decay, fused=True, capturable=graphs)


def rate(schedule: str, done: float) -> float:
    """Factor on the learning rate after a share `done` in [0, 1) of all steps."""
    if schedule == "linear":
        return 1 - done
    if schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    return 1.0


def set_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        weight = group["params"][0]
        if weight.device.type == "cpu":
            group["lr"] = value
        elif isinstance(group["lr"], Tensor) and group["lr"].device == weight.device:
            group["lr"].fill_(value)
        else:  # a CUDA graph reads the rate from where it lay at the capture
            group["lr"] = torch.full((), value, device=weight.device)


def make_step(
    net: LeNet5,
    optimizer: torch.optim.Optimizer,
    images: Images,
    augment: Augmentation,
    label_smoothing: float,
    dropout: torch.Generator,
    total: Tensor,
) -> Callable[[Tensor], None]:
    """A step of training on a batch of `deal`, shape (4, n), that adds the sum of its n losses to `total`.

    It waits for nothing that the device computes, and leaves no gradients: `graphs` needs both.
    """

    def step(batch: Tensor) -> None:
        pixels = augment(images.pixels.index_select(0, batch[0]), batch[1:])
        labels = images.labels.index_select(0, batch[0])
        with precision(total.device):
            logits = net(images.normalised(pixels), dropout)
            loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        total.add_(loss.detach() * len(labels))

    return step


def begin(
    config: Mapping[str, Any], *, classes: int, seed: int, device: torch.device
) -> tuple[LeNet5, torch.optim.Optimizer]:
    """The untrained net and its optimizer: with the number of epochs done, all the state that a training has."""
    with alone(device):
        net = LeNet5(**{name: config[name] for name in NETWORK}, classes=classes)
        net.initialize(random_numbers(seed, INITIAL, 0))
        net = net.to(device).to(memory_format=torch.channels_last)
        return net, make_optimizer(net, config)


def train(
    net: LeNet5,
    optimizer: torch.optim.Optimizer,
    config: Mapping[str, Any],
    images: Images,
    index: NDArray[np.int64],
    *,
    epochs: int,
    seed: int,
    done: int = 0,
) -> Generator[float, None, None]:
    """Train on the images `index`, after `done` epochs up to `epochs`; after each the epoch's mean training loss.

    Every image is seen once an epoch, in a new order; the last batch is as small as what is left.

    Raises:
        Diverged: the training loss is NaN or infinite.
    """
    device = images.pixels.device
    members, n, size = torch.from_numpy(index), len(index), config["batch_size"]
    augment = Augmentation(config["flip"], config["crop"])
    if device.type == "cpu":
        keep_freed_memory()
    total = torch.zeros((), dtype=torch.float64, device=device)
    dropout = torch.Generator(device)
    step = make_step(net, optimizer, images, augment, config["label_smoothing"], dropout, total)
    if device.type == "cuda":
        step = GraphedStep(step, CudaRecorder((dropout,)))
    for epoch in range(done, epochs):
        with alone(device):
            draws = random_numbers(seed, EPOCH, epoch)
            dropout.manual_seed(key(seed, DROPOUT, epoch))
            batches = torch.split(deal(members, size, augment, draws).to(device), size, 1)
            total.zero_()
            for i, batch in enumerate(batches):
                share = (epoch * len(batches) + i) / (epochs * len(batches))
                set_rate(optimizer, config["learning_rate"] * rate(config["schedule"], share))
                step(batch)
                # A look at the loss makes a GPU wait; there, the epoch's end is early enough.
                if i % 100 == 99 and device.type == "cpu" and not torch.isfinite(total):
                    break
            mean = total.item() / n
        if not math.isfinite(mean):
            raise Diverged(f"the training loss became {mean} in epoch {epoch + 1}")
        yield mean


class Evaluation(NamedTuple):
    accuracy: float  # share of images, in [0, 1]
    loss: float  # mean cross-entropy, nats
    spread: float  # largest difference between two images in one class's log-probability, nats
    answers: Tensor  # log-probabilities, shape (images, classes), in the order of the index


def evaluate(net: LeNet5, images: Images, index: NDArray[np.int64]) -> Evaluation:
    """Compare the net's answers for the images `index` with their labels."""
    device = images.pixels.device
    correct, loss = (torch.zeros((), dtype=torch.float64, device=device) for _ in range(2))
    low, high = (torch.tensor(limit, device=device) for limit in (math.inf, -math.inf))
    parts: list[Tensor] = []
    with alone(device), torch.inference_mode(), precision(device):
        for batch in torch.split(torch.from_numpy(index).to(device), EVALUATION_BATCH):
            answers = net(images.batch(batch)).float().log_softmax(1)
            labels = images.labels.index_select(0, batch)
            correct += (answers.argmax(1) == labels).sum()
            loss += F.nll_loss(answers, labels, reduction="sum")
            low, high = torch.minimum(low, answers.amin(0)), torch.maximum(high, answers.amax(0))
            parts.append(answers)
        sums = torch.stack([correct, loss, (high - low).max()])
        right, nats, spread = sums.tolist()  # the only wait for the device
        return Evaluation(right / len(index), nats / len(index), spread, torch.cat(parts))


def measured(metric: Metric, labels: NDArray[np.int64], seen: Evaluation) -> float | None:
    """The metric's value; None for the accuracy, which an evaluation has anyway."""
    if metric.function is accuracy:
        return None
    probabilities = seen.answers.double().exp().cpu().numpy()
    return float(metric.function(labels, probabilities / probabilities.sum(axis=1, keepdims=True)))


def scores(
    config: Mapping[str, Any], split: Split, parts: tuple[NDArray[np.int64], NDArray[np.int64]], *,
    epochs: int, seed: int, device: torch.device, checkpoint: Checkpoint | None = None,
    metric: Metric = METRICS["accuracy"], keep_last: bool = False,
) -> Generator[Score, None, None]:  # fmt: skip
    """Train on the first of the parts, validate on the second after each epoch.

    The scores of a checkpoint are yielded again, and training goes on after them; with `keep_last`, the last epoch
    is kept too, since this training is not all there is to the trial.

    Raises:
        Diverged: a loss or the metric is NaN or infinite, or the net is dead (see `collapse`).
    """
    training, validation = parts
    images = Images.of(split, device, split.mean, split.std)
    share = np.bincount(split.labels[validation]).max() / len(validation)
    chance = share + 3 * math.sqrt(share * (1 - share) / len(validation))
    classes = len(split.classes)
    start = perf_counter()
    net, optimizer = begin(config, classes=classes, seed=seed, device=device)
    past = checkpoint.restore(net=net, optimizer=optimizer) if checkpoint else []
    best = max((score.accuracy for score in past), default=0.0)
    yield from list(past)
    losses = train(net, optimizer, config, images, training, epochs=epochs, seed=seed, done=len(past))
    for epoch, train_loss in enumerate(losses, start=len(past) + 1):
        seen = evaluate(net, images, validation)
        if not math.isfinite(seen.loss):
            raise Diverged(f"the validation loss became {seen.loss} in epoch {epoch}")
        best = max(best, seen.accuracy)
        reason = collapse(train_loss, seen.spread, classes)
        if epoch >= WARM_UP and best <= chance and reason:
            raise Diverged(f"still at chance after {epoch} epochs (validation accuracy {seen.accuracy:.3f}): {reason}")
        value = measured(metric, split.labels[validation], seen)
        if value is not None and not math.isfinite(value):
            raise Diverged(f"the validation {metric.words} became {value} in epoch {epoch}")
        past.append(Score(seen.accuracy, seen.loss, train_loss, perf_counter() - start, value))
        if checkpoint and (epoch < epochs or keep_last):
            checkpoint.save(past, net=net, optimizer=optimizer)
        yield past[-1]
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
