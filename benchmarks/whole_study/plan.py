"""What both sides run: the same configurations, epochs, pictures and pruner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.pruners import MedianPruner
from PIL import Image

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec
from hpo_optuna.tasks import LeNet5Task

NAME = "whole-study"
SPACE: dict[str, BaseDistribution] = {  # of the headline plan
    "C1": IntDistribution(2, 32),
    "C3": IntDistribution(4, 64),
    "F6": IntDistribution(16, 256, log=True),
}
BATCH, CLASSES = 128, 10


@dataclass(frozen=True)
class Setting:
    """One study: where its pictures are, and how much it trains."""

    data_dir: str
    trials: int
    epochs: int
    images: int
    validation: int
    seed: int

    def task(self, kind: type[LeNet5Task] = LeNet5Task) -> LeNet5Task:
        return kind(
            data="folder",
            data_dir=self.data_dir,
            device="cpu",
            epochs=self.epochs,
            train_size=self.images,
            validation=self.validation,
            fixed={"batch_size": BATCH},
        )

    def plan(self, kind: type[LeNet5Task] = LeNet5Task) -> ComparisonPlan:
        return ComparisonPlan(
            name=NAME,
            task=self.task(kind),
            space=SPACE,
            samplers={"random": SamplerSpec("random_search")},
            budget=Budget(trials=self.trials),
            seed=self.seed,
            pruner=pruner(),
            audit=0.0,  # the tutorial has none
        )


def pruner() -> MedianPruner:
    return MedianPruner(n_startup_trials=5, n_warmup_steps=2)


def make_pictures(folder: Path, n: int) -> None:
    """`n` JPEG images of 32x32 in ten class folders: a class is a colour under noise."""
    rng = np.random.default_rng(0)
    colours = rng.uniform(96, 160, (CLASSES, 3))
    for label in range(CLASSES):
        (folder / "train" / str(label)).mkdir(parents=True)
    for i in range(n):
        pixels = rng.normal(colours[i % CLASSES], 64, (32, 32, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "train" / str(i % CLASSES) / f"{i}.jpg")
