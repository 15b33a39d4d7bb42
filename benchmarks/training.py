"""What a training image costs: our loop beside the one of PyTorch's own tutorial, and the floor under both.

    python benchmarks/training.py            # minutes
    python benchmarks/training.py --quick    # half a minute on an idle core
    python benchmarks/training.py --device cuda    # before that, images per second on a GPU, eager and with CUDA graphs

(a) the tutorial ("Training a classifier"): a data set that makes a PIL image of each array, as torchvision's CIFAR10
does, transforms, a DataLoader without worker processes, an eager float32 net. (b) `tasks.training.train`, as a trial
runs it. Both: the same widths, batches of 128, Adam, one thread. Images: 50,000 of random bytes, 32x32x3; what an
image shows costs no time.

CPU time of the process per training image (data, forward, backward, optimizer), the two taking turns; medians. The
floor: the floating-point operations of a training step at the best rate of this machine in one product of matrices.
"""

from __future__ import annotations

import argparse
import math
import platform
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter, process_time
from unittest import mock

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import nn
from torchvision import transforms
from whole_study.pytorch_tutorial import C5, Pictures, TutorialNet

from hpo_optuna.tasks import training
from hpo_optuna.tasks.data import Split
from hpo_optuna.tasks.device import bfloat16_unit
from hpo_optuna.tasks.hyperparameters import complete
from hpo_optuna.tasks.images import Images
from hpo_optuna.tasks.training import begin, train

WIDTHS = ((6, 16, 84), (16, 32, 128), (32, 64, 256))
BATCH, PADDING, CLASSES = 128, 4, 10
CPU = torch.device("cpu")


def random_split(n: int = 50_000) -> Split:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, n)
    return Split(images, labels, tuple(map(str, range(CLASSES))), "random", (0.5,) * 3, (0.29,) * 3)


def tutorial(widths: tuple[int, int, int], augmented: bool, split: Split, index: NDArray[np.int64]) -> Iterator[float]:
    """Train by the tutorial's loop; after each epoch its mean loss."""
    random = [transforms.RandomCrop(32, PADDING), transforms.RandomHorizontalFlip()] if augmented else []
    transform = transforms.Compose([*random, transforms.ToTensor(), transforms.Normalize(split.mean, split.std)])
    pictures = Pictures(split.images[index], split.labels[index], transform)
    loader = torch.utils.data.DataLoader(pictures, batch_size=BATCH, shuffle=True)
    net, criterion = TutorialNet(*widths, CLASSES), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    while True:
        running_loss = 0.0
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = criterion(net(inputs), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        yield running_loss / len(loader)


def ours(
    widths: tuple[int, int, int], augmented: bool, split: Split, index: NDArray[np.int64], epochs: int
) -> Iterator[float]:
    config = {**dict(zip(("C1", "C3", "F6"), widths, strict=True)), "C5": C5, "batch_size": BATCH}
    config |= {"flip": augmented, "crop": PADDING if augmented else 0}
    config = complete(config, {})
    images = Images.of(split, CPU, split.mean, split.std)
    net, optimizer = begin(config, classes=CLASSES, seed=0, device=CPU)
    yield from train(net, optimizer, config, images, index, epochs=epochs, seed=0)


def seconds(step: Callable[[], object]) -> float:
    start = process_time()
    step()
    return process_time() - start


def measure(
    widths: tuple[int, int, int], augmented: bool, split: Split, batches: int, rounds: int
) -> tuple[float, float]:
    """Median microseconds of CPU time per training image of (a) and (b); one more round of each warms up."""
    index = np.random.default_rng(1).permutation(len(split.labels))[: batches * BATCH]
    a, b = tutorial(widths, augmented, split, index), ours(widths, augmented, split, index, rounds + 1)
    times = [(seconds(lambda: next(a)), seconds(lambda: next(b))) for _ in range(rounds + 1)]
    median = 1e6 * np.median(times[1:], axis=0) / len(index)
    return float(median[0]), float(median[1])


def operations(c1: int, c3: int, f6: int) -> int:
    """Floating-point operations of a training step per image: twice the multiplications of forward, gradient of
    the weights and gradient of the input, which the first layer does not need."""
    first = 28 * 28 * c1 * 3 * 25
    others = 10 * 10 * c3 * c1 * 25 + c3 * 25 * C5 + C5 * f6 + f6 * CLASSES
    return 2 * (2 * first + 3 * others)


def rate(dtype: torch.dtype, side: int) -> float:
    """Floating-point operations per CPU second in the fastest of up to 20 products of matrices, `side` x `side`."""
    x, y = (torch.ones(side, side, dtype=dtype) for _ in range(2))
    times: list[float] = []
    while len(times) < 20 and sum(times) < 0.5:
        times.append(seconds(lambda: torch.mm(x, y)))
    return 2 * side**3 / min(times)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def compare_on_cpu(batches: int, rounds: int) -> float:
    """Print the table; the geometric mean of a/b over its rows."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    split, unit = random_split(), bfloat16_unit()
    # Without a unit for it, bfloat16 is emulated: a product of 1,024 x 1,024 takes seconds.
    rates = rate(torch.float32, 1024), rate(torch.bfloat16, 1024 if unit else 256)
    print(f"{processor()}, ours computes in {f'bfloat16 ({unit})' if unit else 'float32'}; one thread")
    print(f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}")
    print(f"matrix rate: float32 {rates[0] / 1e9:.0f} GFLOP/s, bfloat16 {rates[1] / 1e9:.0f} GFLOP/s")
    print(f"n = {rounds} rounds of {batches * BATCH:,} images; microseconds of CPU time per training image\n")
    print("| C1/C3/F6 | images | (a) tutorial | (b) ours | a/b | float32 floor | bfloat16 floor |")
    print("|---|---|---|---|---|---|---|")
    ratios = []
    for widths in WIDTHS:
        for augmented in (False, True):
            a, b = measure(widths, augmented, split, batches, rounds)
            ratios.append(a / b)
            row = ["/".join(map(str, widths)), "flip+crop" if augmented else "plain", f"{a:.0f}", f"{b:.0f}"]
            row += [f"{a / b:.2f}", *(f"{1e6 * operations(*widths) / r:.1f}" for r in rates)]
            print(f"| {' | '.join(row)} |", flush=True)
    return math.prod(ratios) ** (1 / len(ratios))


def images_per_second(size: int, graphs: bool, images: Images, batches: int, rounds: int) -> float:
    """Of 6/16/84 with flip+crop on the GPU: median over the rounds, after one in which the graph is made."""
    device = images.pixels.device
    config = complete({"batch_size": size, "flip": True, "crop": PADDING}, {})
    net, optimizer = begin(config, classes=CLASSES, seed=0, device=device)
    index = np.random.default_rng(1).integers(0, len(images.labels), batches * size)
    with nullcontext() if graphs else mock.patch.object(training, "GraphedStep", lambda step, _: step):
        # Each epoch ends by waiting for the device.
        times = [perf_counter() for _ in train(net, optimizer, config, images, index, epochs=rounds + 1, seed=0)]
    return len(index) / float(np.median(np.diff(times)))


def compare_on_cuda(batches: int, rounds: int) -> None:
    if not torch.cuda.is_available():
        print("torch finds no CUDA device here: images per second on a GPU are not measured.\n")
        return
    split = random_split()
    images = Images.of(split, torch.device("cuda"), split.mean, split.std)
    print(f"{torch.cuda.get_device_name()}; images per second of wall time, n = {rounds} rounds of {batches} batches\n")
    print("| batch | eager | with graphs | graphs/eager |\n|---|---|---|---|")
    for size in (32, 128, 512, 2048):
        eager, graphed = (images_per_second(size, graphs, images, batches, rounds) for graphs in (False, True))
        print(f"| {size} | {eager:,.0f} | {graphed:,.0f} | {graphed / eager:.2f} |", flush=True)
    print()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = arguments.parse_args()
    quick = options.quick
    if options.device == "cuda":
        compare_on_cuda(*((20, 3) if quick else (100, 7)))
    mean = compare_on_cpu(*((2, 3) if quick else (16, 7)))
    print(f"\nratio {mean:.2f} (a over b, geometric mean over the rows)")


if __name__ == "__main__":
    main()
