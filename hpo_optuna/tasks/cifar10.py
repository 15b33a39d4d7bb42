"""CIFAR-10 as torchvision gets it: downloaded once, every file checksummed."""

import socket
import tarfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

import numpy as np

from .source import DataError, Pictures, SplitName

# Mean and standard deviation of the 50,000 training images, scaled to [0, 1].
CIFAR10_STATISTICS: Final = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


@dataclass(frozen=True)
class Cifar10:
    """The original archive, checksummed by torchvision, downloaded into `root` when it is not there."""

    root: Path

    def check(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"cannot make the folder '{self.root}' ({error}); name another.") from error

    def identity(self, split: SplitName) -> str:
        return f"CIFAR-10 python archive, {split}"

    def has_test(self) -> bool:
        return any((self.root / name).exists() for name in ("cifar-10-python.tar.gz", "cifar-10-batches-py"))

    def read(self, split: SplitName) -> Pictures:
        from torchvision.datasets import CIFAR10

        # download=False takes an intact extracted folder; True an intact archive, and fetches it otherwise.
        try:
            with _quiet_and_patient():
                try:
                    data: Any = CIFAR10(str(self.root), train=split == "train", download=False)
                except RuntimeError:
                    data = CIFAR10(str(self.root), train=split == "train", download=True)
        # URLError is an OSError; RuntimeError is torchvision's word for a wrong checksum.
        except (OSError, RuntimeError, HTTPException, tarfile.TarError, EOFError, ValueError) as error:
            raise DataError(self._cure(error)) from error
        return Pictures(
            np.ascontiguousarray(data.data),
            np.array(data.targets, dtype=np.int64),
            data.classes,
            CIFAR10_STATISTICS,
        )

    def _cure(self, error: Exception) -> str:
        from torchvision.datasets import CIFAR10

        archive, extracted = self.root / CIFAR10.filename, self.root / CIFAR10.base_folder
        if archive.exists():
            found = f"'{archive.name}' there is damaged or half downloaded"
        elif extracted.exists():
            found = f"the folder '{extracted.name}' there is incomplete or damaged"
        else:
            found = "neither archive nor extracted folder is there"
        return (
            f"no intact CIFAR-10 in '{self.root}': {found}, and the download failed "
            f"({type(error).__name__}: {error}). With a network, try again. Without one, put the files there by "
            f"hand: either the archive {CIFAR10.filename} (from {CIFAR10.url}, MD5 {CIFAR10.tgz_md5}), or the "
            f"folder {CIFAR10.base_folder} extracted from it. "
            f"Or use the images that come with scikit-learn: --data digits."
        )


@contextmanager
def _quiet_and_patient() -> Iterator[None]:
    """Torchvision asks for no timeout, and its tar and pickle calls warn on newer Pythons and numpys."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        socket.setdefaulttimeout(before)
