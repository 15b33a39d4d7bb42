"""The fast loop computes what a plain eager float32 loop computes."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import hpo_optuna.tasks.training as training
from hpo_optuna.tasks.data import Split, open_split
from hpo_optuna.tasks.graphs import WARM_UP, GraphedStep
from hpo_optuna.tasks.hyperparameters import complete
from hpo_optuna.tasks.images import Images

EPOCHS, SEED, N = 3, 5, 600  # 600 images: nine whole batches of 64 and one of 24
INDEX = np.random.default_rng(0).permutation(1200)[:N]
CONFIGS: dict[str, dict[str, Any]] = {
    "lenet5": {},
    "augmented": {"flip": True, "crop": 3, "optimizer": "sgd", "learning_rate": 0.05, "schedule": "cosine"},
    "gelu": {"C1": 5, "C3": 9, "K3": 3, "activation": "gelu", "optimizer": "adamw", "label_smoothing": 0.1},
}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return open_split("digits", str(tmp_path_factory.mktemp("digits")), "train")


def fast(config: dict[str, Any], split: Split) -> list[float]:
    images = Images.of(split, torch.device("cpu"), split.mean, split.std)
    net, optimizer = training.begin(config, classes=10, seed=SEED, device=torch.device("cpu"))
    return list(training.train(net, optimizer, config, images, INDEX, epochs=EPOCHS, seed=SEED))


class PlainNet(nn.Module):
    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        side = ((32 - c["K1"] + 1) // 2 - c["K3"] + 1) // 2
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(3, c["C1"], c["K1"]),
                nn.Conv2d(c["C1"], c["C3"], c["K3"]),
                nn.Linear(c["C3"] * side**2, c["C5"]),
                nn.Linear(c["C5"], c["F6"]),
                nn.Linear(c["F6"], 10),
            ]
        )
        self.activation = getattr(F, c["activation"])

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.layers[:2]:
            x = F.max_pool2d(self.activation(convolution(x)), 2)
        x = x.flatten(1)
        for dense in self.layers[2:4]:
            x = self.activation(dense(x))
        return self.layers[4](x)  # type: ignore[no-any-return]


def plain_batches(c: dict[str, Any], split: Split, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    draws = training.random_numbers(SEED, training.EPOCH, epoch)
    order = INDEX[torch.randperm(N, generator=draws).numpy()]
    for batch in np.split(order, range(c["batch_size"], N, c["batch_size"])):
        pixels, n = split.images[batch], len(batch)
        if c["flip"]:
            mirrored = torch.rand(n, generator=draws).numpy() < 0.5
            pixels = np.where(mirrored[:, None, None, None], pixels[:, :, ::-1], pixels)
        if c["crop"]:
            p = c["crop"]
            framed = np.pad(pixels, ((0, 0), (p, p), (p, p), (0, 0)))
            corners = torch.randint(2 * p + 1, (2, n), generator=draws).numpy().T
            pixels = np.stack([image[y : y + 32, x : x + 32] for image, (y, x) in zip(framed, corners, strict=True)])
        x = (pixels / 255 - split.mean) / split.std
        yield torch.from_numpy(x.transpose(0, 3, 1, 2)).float().contiguous(), torch.from_numpy(split.labels[batch])


def plain(c: dict[str, Any], split: Split) -> list[float]:
    net = PlainNet(c)
    start = training.random_numbers(SEED, training.INITIAL, 0)
    with torch.no_grad():
        for layer in net.layers:
            for parameter in layer.parameters():
                parameter.uniform_(-1, 1, generator=start).mul_(layer.weight[0].numel() ** -0.5)
    decay, weights = c["weight_decay"], net.parameters()
    optimizer: torch.optim.Optimizer = {
        "adam": lambda: torch.optim.Adam(weights, weight_decay=decay),
        "adamw": lambda: torch.optim.AdamW(weights, weight_decay=decay),
        "sgd": lambda: torch.optim.SGD(weights, momentum=0.9, nesterov=True, weight_decay=decay),
    }[c["optimizer"]]()
    steps, losses, i = EPOCHS * -(-N // c["batch_size"]), [], 0
    for epoch in range(EPOCHS):
        total = 0.0
        for x, y in plain_batches(c, split, epoch):
            optimizer.param_groups[0]["lr"] = c["learning_rate"] * training.rate(c["schedule"], i / steps)
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y, label_smoothing=c["label_smoothing"])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total, i = total + loss.item() * len(y), i + 1
        losses.append(total / N)
    return losses


@pytest.mark.parametrize("name", CONFIGS)
def test_the_losses_of_every_epoch_are_those_of_the_plain_loop_to_rounding(
    name: str, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "uses_bfloat16", lambda _: False)
    config = complete(CONFIGS[name], {"batch_size": 64})
    expected = plain(config, split)
    curve = fast(config, split)
    assert expected[-1] < expected[0]
    assert curve[0] == pytest.approx(expected[0], rel=1e-5)
    assert curve == pytest.approx(expected, rel=3e-3)  # Adam magnifies the rounding of gradients near zero


def test_with_bfloat16_the_losses_stay_within_two_per_cent(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "uses_bfloat16", lambda _: True)
    config = complete({}, {"batch_size": 64})
    curve, expected = fast(config, split), plain(config, split)
    assert curve != pytest.approx(expected, rel=1e-6)
    assert curve == pytest.approx(expected, rel=0.02)


class Recording:
    """Stands in for a GPU's stream and graph: a replay does what was recorded, on what lies in the recorded inputs."""

    def __init__(self, captures: bool = True) -> None:
        self.captures, self.aside_runs, self.replays = captures, 0, 0

    def aside(self, run: Callable[[], None]) -> None:
        self.aside_runs += 1
        run()

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        if not self.captures:
            raise RuntimeError("operation not permitted when stream is capturing")

        def replay() -> None:
            self.replays += 1
            run()

        return replay


def graphed(config: dict[str, Any], split: Split, recorder: Recording, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    make = training.make_step
    monkeypatch.setattr(training, "make_step", lambda *args: GraphedStep(make(*args), recorder))
    return fast(config, split)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_step_that_is_recorded_and_replayed_gives_the_same_bits(
    name: str, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, recorder = complete({**CONFIGS[name], "dropout": 0.2}, {"batch_size": 64}), Recording()
    expected = fast(config, split)
    assert graphed(config, split, recorder, monkeypatch) == expected
    assert recorder.aside_runs == WARM_UP
    assert recorder.replays == EPOCHS * 9 - WARM_UP  # the last batch of each epoch has its own shape


def test_a_capture_that_fails_warns_once_and_trains_on(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    config = complete({}, {"batch_size": 64})
    expected = fast(config, split)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert graphed(config, split, Recording(captures=False), monkeypatch) == expected
    assert [str(w.message) for w in caught] == [
        "No CUDA graph of the training step, which stays eager: operation not permitted when stream is capturing"
    ]
