"""The winner's last training, and the one look at the test split."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .data import open_split
from .task import FinalScore
from .training import NETWORK, Images, evaluate, pick_device, train

if TYPE_CHECKING:
    from .lenet5 import LeNet5Task


def finalize(task: "LeNet5Task", config: dict[str, Any], seed: int, directory: Path) -> FinalScore:
    """See `LeNet5Task.finalize`; `config` is complete and checked."""
    device = pick_device(task.device)
    test = open_split(task.data, task.data_dir, "test")  # first: without it the training would be for nothing
    split, parts = task.search_images()
    everything = np.sort(np.concatenate(parts))
    images = Images.of(split, device, split.mean, split.std)
    classes = len(split.classes)
    *_, (net, train_loss) = train(config, images, everything, classes=classes, epochs=task.epochs, seed=seed)
    unseen = Images.of(test, device, split.mean, split.std)
    accuracy, loss, _ = evaluate(net, unseen, np.arange(len(test.labels), dtype=np.int64))
    card = {
        "network": {**{name: config[name] for name in NETWORK}, "classes": classes},
        "classes": list(split.classes),
        "input": "RGB, shape (batch, 3, 32, 32), float32: (value / 255 - mean) / std per channel",
        "mean": list(split.mean),
        "std": list(split.std),
        "config": config,
        "seed": seed,
        "epochs": task.epochs,
        "training_images": len(everything),
        "train_loss": train_loss,
        "test": {"images": len(test.labels), "accuracy": accuracy, "loss": loss, "content": test.content},
        "fingerprint": task.fingerprint,
        "provenance": task.provenance(),
    }
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "model.pt"
    half = path.with_suffix(".half")
    torch.save({name: weights.cpu().contiguous() for name, weights in net.state_dict().items()}, half)
    os.replace(half, path)
    half.write_text(json.dumps(card, indent=2), encoding="utf-8")
    os.replace(half, path.with_suffix(".json"))
    return FinalScore(accuracy, loss, path)
