"""LeNet5 on small images, as a task: construction and checks need no torch and no data."""

import os
from collections.abc import Generator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from . import hyperparameters
from .metrics import Direction, MetricFunction, identity, metric_of
from .size import COSTS, size
from .task import FinalScore, Score

if TYPE_CHECKING:
    from .data import Split
    from .folds import Parts

RECIPE: Final = 1  # raised whenever the same configuration and seed would give another score
DATA: Final = ("cifar10", "folder", "digits")
DEVICES: Final = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class LeNet5Task:
    """Train LeNet5 and score it on the validation images after each epoch: `for score in task(config, seed=0)`.

    The net, on 32x32 RGB: convolution (C1 channels, kernel K1), pool, convolution (C3, K3), pool, dense (C5),
    dense (F6), output. LeNet-5 is C1=6, C3=16, C5=120, F6=84 with kernels of 5; these are the defaults. C5 stays
    at 120 unless it is given: where three widths C1/C3/F6 are named, such as 6/16/84, that is what is meant.
    Further hyperparameters, with their ranges: `hyperparameters.HYPERPARAMETERS`.

    Search sees training and validation images only; `finalize` alone opens the test split.

    Attributes:
        data: "cifar10" (downloaded once), "folder" (train/ and test/ folders of class folders) or "digits"
            (the 8x8 digits that come with scikit-learn, enlarged).
        epochs: passes over the training images; one score each.
        data_dir: where the images are, or are downloaded to. None: $HPO_OPTUNA_DATA, else a folder of the
            user's cache.
        device: "cpu", "cuda", or "auto" (CUDA where there is one).
        fixed: values of hyperparameters, in place of the defaults; a configuration overrides them.
        validation: training images held out for the scores, drawn per class by `split_seed`: a share in (0, 1) or
            a number of images. 0.1 is 5,000 of CIFAR-10's 50,000.
        split_seed: of that draw. Not a training seed: all trials share one split.
        train_size: train on this many of the other images, drawn per class; None: on all.
        checkpoints: keep the last finished epoch on disk, so that a training that is killed or interrupted goes on
            after it, with the same scores to the last bit; see `checkpoint`. No part of the fingerprint.
        metric: what a score is worth: "accuracy", "balanced_accuracy", "macro_f1" (higher is better), "cross_entropy"
            (lower is better), or a function (labels of shape (n,), probabilities of shape (n, classes)) -> float,
            defined by def in a module or plan file; an attribute `direction` of it is held against the plan's.
        folds: stratified k-fold cross-validation instead of one split, at least 2: `validation` counts for nothing, a
            step (and an "epoch" of a budget) is a fold, trained for all `epochs`; its score is the fold's own, for
            `WilcoxonPruner`, which compares fold with fold (and needs four of them to stop anything), and the trial's
            value is the mean. Other pruners would compare single folds. The folds depend on the images' labels and
            `split_seed` alone: all trials share them.
        costs: a second objective beside the metric, to be minimized: "parameters" or "multiply_adds" (of one
            image); see `size`.

    Raises:
        ValueError: an argument that cannot be right, naming it, its value and the cure.
    """

    data: str = "cifar10"
    epochs: int = 10
    data_dir: str | None = None
    device: str = "auto"
    fixed: Mapping[str, Any] = field(default_factory=dict, hash=False)
    validation: float | int = 0.1
    split_seed: int = 0
    train_size: int | None = None
    checkpoints: bool = True
    metric: str | MetricFunction = "accuracy"
    folds: int | None = None
    costs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, known in (("data", DATA), ("device", DEVICES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {getattr(self, name)!r}.")
        for name, low in (("epochs", 1), ("split_seed", 0), ("train_size", 1), ("folds", 2)):
            value = getattr(self, name)
            if name in ("train_size", "folds") and value is None:
                continue
            if type(value) is not int or value < low:
                raise ValueError(f"{name} must be a whole number of at least {low}, got {value!r}.")
        share = type(self.validation) is float and 0 < self.validation < 1
        if not share and (type(self.validation) is not int or self.validation < 1):
            raise ValueError(
                f"validation must be a share between 0 and 1 or a whole number of images, got {self.validation!r}."
            )
        if not isinstance(self.checkpoints, bool):
            raise ValueError(f"checkpoints must be True or False, got {self.checkpoints!r}.")
        if self.data_dir is not None:
            # A worker may run in another folder than the one in which the plan was made.
            object.__setattr__(self, "data_dir", os.path.abspath(os.path.expanduser(self.data_dir)))
        if not isinstance(self.fixed, Mapping):
            raise ValueError(f"fixed must map names of hyperparameters to values, got {self.fixed!r}.")
        object.__setattr__(self, "fixed", hyperparameters.parse(self.fixed))
        hyperparameters.complete({}, self.fixed)
        metric_of(self.metric)
        if not isinstance(self.costs, tuple) or any(cost not in COSTS for cost in self.costs):
            raise ValueError(f"costs must be a tuple of {', '.join(map(repr, COSTS))}, got {self.costs!r}.")

    @property
    def score_name(self) -> str:
        """What the scores are called: "validation accuracy"."""
        return f"{'validation' if self.folds is None else 'cross-validated'} {metric_of(self.metric).words}"

    @property
    def metrics(self) -> tuple[str, ...]:
        """What the objectives are called: the score, and the costs."""
        return self.score_name, *(cost.replace("_", "-") for cost in self.costs)

    @property
    def direction(self) -> Direction | tuple[Direction | None, ...] | None:
        """In which direction each objective is better; None where a function of the user's does not say."""
        first = metric_of(self.metric).direction
        small: Direction = "minimize"
        return (first, *(small for _ in self.costs)) if self.costs else first

    @property
    def max_steps(self) -> int:
        """Scores of a full run."""
        return self.epochs if self.folds is None else self.folds

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the scores depend on beside the configuration, JSON-able: the images' hash, not their path.

        Opens the training cache, and prepares it where it is missing.

        Raises:
            DataError: the images cannot be had.
        """
        return self._fingerprint(*self.search_images())

    def _fingerprint(self, split: "Split", parts: "Parts") -> dict[str, Any]:
        training, validation = parts
        return {
            "task": "LeNet5Task",
            "recipe": RECIPE,
            "data": self.data,
            "content": split.content,
            "classes": len(split.classes),
            "training_images": len(training),
            "validation_images": len(validation),
            "split_seed": self.split_seed,
            "epochs": self.epochs,
            "defaults": hyperparameters.complete({}, self.fixed),
            # Named where they are not the default: studies from before these fields go on.
            **({} if self.metric == "accuracy" else {"metric": identity(self.metric)}),
            **({} if self.folds is None else {"folds": self.folds}),
            **({} if not self.costs else {"costs": list(self.costs)}),
        }

    def check(self, config: Mapping[str, Any]) -> None:
        """Raise ValueError, naming hyperparameter, value and cure, if `config` cannot be trained."""
        hyperparameters.complete(config, self.fixed)

    def prepare(self) -> None:
        """Download and decode, once per machine; later calls verify checksums and repair what is damaged.

        The test split is prepared along with the training split where its images are there; a folder without
        `test/` is good enough for search.

        Raises:
            DataError: the images cannot be had.
        """
        from .data import prepare

        prepare(self.data, self.data_dir)
        self.search_images()

    def __call__(self, config: Mapping[str, Any], *, seed: int) -> Generator[Score, None, None]:
        """Train `config`; one score an epoch. Same arguments, same kind of machine, same bits.

        Raises:
            ValueError: at once, for a wrong configuration or seed.
            DataError: the images cannot be had.
            Diverged: a loss is NaN or infinite, or the net is dead: see `training.collapse`.
        """
        return self._scores(hyperparameters.complete(config, self.fixed), _whole_seed(seed))

    def _scores(self, config: Mapping[str, Any], seed: int) -> Generator[Score, None, None]:
        from .checkpoint import Checkpoint, checkpointed
        from .data import checkpoint_folder
        from .device import pick_device
        from .folds import cross_validate
        from .training import scores

        device, metric = pick_device(self.device), metric_of(self.metric)
        split, folds = self._search_folds()
        key = {"config": config, "seed": seed, **self._fingerprint(split, folds[0]), **self._machine()}
        folder = checkpoint_folder(self.data, self.data_dir) if self.checkpoints else None

        spent = size(config, len(split.classes))
        costs = tuple(float(spent[cost]) for cost in self.costs) or None

        def train(parts: "Parts", seed: int, checkpoint: Checkpoint | None) -> Generator[Score, None, None]:
            return scores(
                config, split, parts, epochs=self.epochs, seed=seed, device=device, checkpoint=checkpoint,
                metric=metric, keep_last=self.folds is not None,
            )  # fmt: skip

        try:
            if self.folds is not None:
                # By `yield from`, which hands an interruption on to where the folds' checkpoints are.
                yield from cross_validate(train, folds, seed, folder, key, costs)
                return
            with nullcontext() if folder is None else checkpointed(folder, key) as checkpoint:
                for score in train(folds[0], seed, checkpoint):
                    yield replace(score, costs=costs)
        finally:
            if device.type == "cuda":
                import torch

                torch.cuda.empty_cache()

    def finalize(self, config: Mapping[str, Any], *, seed: int, directory: Path) -> FinalScore:
        """Train on training and validation images, test once, save `model.pt`, and its card as `model.json` too.

        The only code that opens the test split. Both files are moved into place when complete. Where the folder
        holds this very model already, its score is read from its card, and nothing is trained or tested.

        Raises:
            ValueError, DataError, Diverged: as a call does; DataError also for a missing test split.
        """
        complete = hyperparameters.complete(config, self.fixed)
        from .final import finalize

        return finalize(self, complete, _whole_seed(seed), Path(directory))

    def provenance(self) -> dict[str, Any]:
        """Versions, device, precision and threads: what bits depend on and a fingerprint does not hold."""
        from importlib.metadata import version  # importing torchvision takes seconds

        return {"torchvision": version("torchvision"), **self._machine()}

    def _machine(self) -> dict[str, Any]:
        import torch

        from .device import bfloat16_unit, pick_device
        from .training import uses_bfloat16

        device = pick_device(self.device)
        return {
            "torch": torch.__version__,
            "device": _device_name(device.type),
            "precision": f"bfloat16 autocast ({bfloat16_unit()})" if uses_bfloat16(device) else "float32",
            "threads": 1,
        }

    def search_images(self) -> "tuple[Split, Parts]":
        """The images of the search, and which are for training and for validation; with folds, in the first one."""
        split, folds = self._search_folds()
        return split, folds[0]

    def _search_folds(self) -> "tuple[Split, list[Parts]]":
        from .data import open_split
        from .splits import stratified_folds, train_and_validation

        split = open_split(self.data, self.data_dir, "train")
        if self.folds is not None:
            return split, stratified_folds(split.labels, self.folds, self.train_size, self.split_seed)
        return split, [train_and_validation(split.labels, self.validation, self.train_size, self.split_seed)]


def _whole_seed(seed: int) -> int:
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0:
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}.")
    return int(seed)


def _device_name(kind: str) -> str:
    if kind == "cuda":
        import torch

        return str(torch.cuda.get_device_name())
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        return platform.processor() or platform.machine()
