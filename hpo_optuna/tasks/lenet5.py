"""LeNet5 on small images, as a task: construction and checks need no torch and no data."""

import os
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from . import hyperparameters
from .task import FinalScore, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .data import Split

RECIPE: Final = 1  # raised whenever the same configuration and seed would give another score
DATA: Final = ("cifar10", "folder", "digits")
DEVICES: Final = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class LeNet5Task:
    """Train LeNet5 and report its validation accuracy after each epoch: `for score in task(config, seed=0)`.

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

    Raises:
        ValueError: an argument that cannot be right, naming it, its value and the cure.
    """

    metric: ClassVar[str] = "validation accuracy"

    data: str = "cifar10"
    epochs: int = 10
    data_dir: str | None = None
    device: str = "auto"
    fixed: Mapping[str, Any] = field(default_factory=dict, hash=False)
    validation: float | int = 0.1
    split_seed: int = 0
    train_size: int | None = None

    def __post_init__(self) -> None:
        for name, known in (("data", DATA), ("device", DEVICES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {getattr(self, name)!r}.")
        for name, low in (("epochs", 1), ("split_seed", 0), ("train_size", 1)):
            value = getattr(self, name)
            if name == "train_size" and value is None:
                continue
            if type(value) is not int or value < low:
                raise ValueError(f"{name} must be a whole number of at least {low}, got {value!r}.")
        share = type(self.validation) is float and 0 < self.validation < 1
        if not share and (type(self.validation) is not int or self.validation < 1):
            raise ValueError(
                f"validation must be a share between 0 and 1 or a whole number of images, got {self.validation!r}."
            )
        if self.data_dir is not None:
            # A worker may run in another folder than the one in which the plan was made.
            object.__setattr__(self, "data_dir", os.path.abspath(os.path.expanduser(self.data_dir)))
        if not isinstance(self.fixed, Mapping):
            raise ValueError(f"fixed must map names of hyperparameters to values, got {self.fixed!r}.")
        object.__setattr__(self, "fixed", hyperparameters.parse(self.fixed))
        hyperparameters.complete({}, self.fixed)

    @property
    def max_steps(self) -> int:
        """Scores of a full run."""
        return self.epochs

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the scores depend on beside the configuration, JSON-able: the images' hash, not their path.

        Opens the training cache, and prepares it where it is missing.

        Raises:
            DataError: the images cannot be had.
        """
        split, (training, validation) = self.search_images()
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
        from .training import pick_device, scores

        device = pick_device(self.device)
        split, parts = self.search_images()
        try:
            yield from scores(config, split, parts, epochs=self.epochs, seed=seed, device=device)
        finally:
            if device.type == "cuda":
                import torch

                torch.cuda.empty_cache()

    def finalize(self, config: Mapping[str, Any], *, seed: int, directory: Path) -> FinalScore:
        """Train on training and validation images, test once, save `model.pt` and its card `model.json`.

        The only code that opens the test split. Both files are moved into place when complete.

        Raises:
            ValueError, DataError, Diverged: as a call does; DataError also for a missing test split.
        """
        complete = hyperparameters.complete(config, self.fixed)
        from .final import finalize

        return finalize(self, complete, _whole_seed(seed), Path(directory))

    def provenance(self) -> dict[str, Any]:
        """Versions, device, precision and threads: what bits depend on and a fingerprint does not hold."""
        import torch
        import torchvision

        from .training import pick_device, uses_bfloat16

        device = pick_device(self.device)
        return {
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "device": _device_name(device.type),
            "precision": "bfloat16 autocast (AMX)" if uses_bfloat16(device) else "float32",
            "threads": 1,
        }

    def search_images(self) -> "tuple[Split, tuple[NDArray[np.int64], NDArray[np.int64]]]":
        from .data import open_split
        from .splits import train_and_validation

        split = open_split(self.data, self.data_dir, "train")
        return split, train_and_validation(split.labels, self.validation, self.train_size, self.split_seed)


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
