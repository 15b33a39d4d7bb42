"""A batch is the images asked for: mirrored, shifted and normalised as said, and nothing else."""

import gc
from pathlib import Path

import numpy as np
import pytest
import torch

from hpo_optuna.tasks import LeNet5Task
from hpo_optuna.tasks.images import Augmentation, Images
from hpo_optuna.tasks.network import LeNet5

PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def augmented(*, flip: bool, crop: int) -> torch.Tensor:
    augment = Augmentation(flip, crop)
    return augment(PIXELS, augment.draw(len(PIXELS), generator()))


def test_a_flipped_batch_holds_images_and_mirror_images() -> None:
    flipped = augmented(flip=True, crop=0)
    same = [torch.equal(a, b) for a, b in zip(flipped, PIXELS, strict=True)]
    mirrored = [torch.equal(a, b.flip(1)) for a, b in zip(flipped, PIXELS, strict=True)]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 15 < sum(mirrored) < 45


def test_a_cropped_image_is_a_window_of_the_image_in_a_black_frame() -> None:
    crop = 2
    cropped = augmented(flip=False, crop=crop)
    shifts = set()
    for image, pixels in zip(cropped.numpy(), PIXELS.numpy(), strict=True):
        framed = np.pad(pixels, ((crop, crop), (crop, crop), (0, 0)))
        found = [
            (y, x)
            for y in range(2 * crop + 1)
            for x in range(2 * crop + 1)
            if np.array_equal(image, framed[y : y + 32, x : x + 32])
        ]
        assert len(found) == 1
        shifts.add(found[0])
    assert len(shifts) > 15


def test_a_batch_is_normalised_per_channel_and_channels_last() -> None:
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.1)
    shift = torch.tensor(mean).mul(255).repeat(32)
    scale = torch.tensor(std).mul(255).reciprocal().repeat(32)
    index = torch.tensor([7, 3])
    batch = Images(PIXELS, torch.zeros(60, dtype=torch.int64), shift, scale).batch(index)
    expected = (PIXELS[index].permute(0, 3, 1, 2) / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(
        3, 1, 1
    )
    torch.testing.assert_close(batch, expected)
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_pooling_before_a_rising_activation_is_the_same_function() -> None:
    widths = {"C1": 3, "C3": 4, "C5": 5, "F6": 6, "K1": 5, "K3": 3, "dropout": 0.0, "classes": 10}
    images = torch.randn(4, 3, 32, 32, generator=generator())
    for activation in ("relu", "tanh", "leaky_relu", "elu"):
        net = LeNet5(activation=activation, **widths)
        net.initialize(generator())
        fast = net(images)
        net.rising = False
        assert torch.equal(fast, net(images))


def test_dropout_is_off_without_a_generator_and_keeps_the_mean_with_one() -> None:
    net = LeNet5(C1=1, C3=1, C5=1, F6=1, K1=5, K3=5, activation="relu", dropout=0.25, classes=2)
    ones = torch.ones(100_000)
    assert net._drop(ones, None) is ones
    dropped = net._drop(ones, generator())
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)


def test_training_without_bfloat16_is_deterministic_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hpo_optuna.tasks.training as training

    monkeypatch.setattr(training, "uses_bfloat16", lambda _: False)
    task = LeNet5Task(data="digits", data_dir=str(tmp_path), epochs=3, device="cpu")
    first, second = ([(s.accuracy, s.loss, s.train_loss) for s in task({}, seed=0)] for _ in range(2))
    assert first == second
    assert first[-1][0] > 0.6
    assert task.provenance()["precision"] == "float32"


def test_closing_a_training_frees_its_net(tmp_path: Path) -> None:
    def nets() -> int:
        # Not isinstance: it reads attributes, and some of torch's lazy objects warn when read.
        return sum(type(thing) is LeNet5 for thing in gc.get_objects())

    gc.collect()
    before = nets()
    scores = LeNet5Task(data="digits", data_dir=str(tmp_path), epochs=3)({}, seed=0)
    next(scores)
    assert nets() == before + 1
    scores.close()
    assert nets() == before
