"""The winner's last training, and the one look at the test split."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import open_split
from .device import pick_device
from .images import Images
from .metrics import identity, metric_of
from .model import load_model, save_model
from .picture import STEPS
from .task import FinalScore
from .training import NETWORK, begin, evaluate, measured, train

if TYPE_CHECKING:
    from .lenet5 import LeNet5Task


def finalize(task: "LeNet5Task", config: dict[str, Any], seed: int, directory: Path) -> FinalScore:
    """See `LeNet5Task.finalize`; `config` is complete and checked."""
    path = directory / "model.pt"
    origin = {
        "config": config,
        "seed": seed,
        "epochs": task.epochs,
        "fingerprint": task.fingerprint,
        "provenance": task.provenance(),
    }
    saved = _saved(path, origin, identity(task.metric))
    if saved is not None:
        return saved
    device = pick_device(task.device)
    test = open_split(task.data, task.data_dir, "test")  # first: without it the training would be for nothing
    split, parts = task.search_images()
    everything = np.sort(np.concatenate(parts))
    images = Images.of(split, device, split.mean, split.std)
    classes = len(split.classes)
    net, optimizer = begin(config, classes=classes, seed=seed, device=device)
    *_, train_loss = train(net, optimizer, config, images, everything, epochs=task.epochs, seed=seed)
    unseen = Images.of(test, device, split.mean, split.std)
    seen = evaluate(net, unseen, np.arange(len(test.labels), dtype=np.int64))
    value = measured(metric_of(task.metric), np.array(test.labels), seen)
    said = {} if value is None else {identity(task.metric): value}
    card = {
        "network": {**{name: config[name] for name in NETWORK}, "classes": classes},
        "classes": list(split.classes),
        "input": "RGB, shape (batch, 3, 32, 32), float32: (value / 255 - mean) / std per channel",
        "resize": [list(step) for step in STEPS[task.data]],
        "mean": list(split.mean),
        "std": list(split.std),
        **origin,
        "training_images": len(everything),
        "train_loss": train_loss,
        "test": {
            "images": len(test.labels),
            "accuracy": seen.accuracy,
            "loss": seen.loss,
            "content": test.content,
            **said,
        },
    }
    save_model(net, card, path)
    return FinalScore(seen.accuracy, seen.loss, path, value)


def _saved(path: Path, origin: dict[str, Any], metric: str) -> FinalScore | None:
    """The score of a model that was made just so before, by a call that was killed before it could say it.

    It is not tested again: on this machine the same bits would come out.
    """
    try:
        card = load_model(path).card
    except ValueError:
        return None
    if {key: card.get(key) for key in origin} != json.loads(json.dumps(origin)):
        return None
    test = card["test"]
    return FinalScore(test["accuracy"], test["loss"], path, None if metric == "accuracy" else test[metric])
