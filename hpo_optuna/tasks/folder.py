"""Images in class folders, read by torchvision."""

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .hyperparameters import IMAGE
from .picture import read_picture
from .source import DataError, Pictures, SplitName


@dataclass(frozen=True)
class Folder:
    """`train/<class>/*` and `test/<class>/*` under `root`, read by torchvision's ImageFolder.

    Images are converted to RGB and resized to 32x32 (Pillow's bilinear filter); classes and files are taken
    in the order of their names. `test/` is needed by `finalize` alone.
    """

    root: Path

    def check(self) -> None:
        self._classes("train")

    def identity(self, split: SplitName) -> str:
        """Hash of every file's name, size and modification time."""
        digest = hashlib.sha256()
        folder = self._folder(split)
        for class_name in self._classes(split):
            for where, folders, files in os.walk(folder / class_name, followlinks=True):
                folders.sort()
                for file in sorted(files):
                    path = Path(where, file)
                    stat = path.stat()
                    name = path.relative_to(folder).as_posix()
                    digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def has_test(self) -> bool:
        return (self.root / "test").is_dir()

    def read(self, split: SplitName) -> Pictures:
        classes = self._classes(split)
        if split == "test":
            self._same_classes(classes)
        from torchvision.datasets import ImageFolder

        folder = self._folder(split)
        try:
            samples = ImageFolder(str(folder)).samples
        except FileNotFoundError as error:
            raise DataError(f"a class folder in '{folder}' holds no images ({error}); remove it or fill it.") from error
        images = np.empty((len(samples), IMAGE, IMAGE, 3), dtype=np.uint8)
        for i, (path, _) in enumerate(_progress(samples, f"decoding {split} images")):
            images[i] = read_picture(path)
        return Pictures(images, np.array([label for _, label in samples], dtype=np.int64), classes)

    def _folder(self, split: SplitName) -> Path:
        layout = f"'{split}/<class name>/<image>' is expected"
        if not self.root.is_dir():
            raise DataError(f"the data folder '{self.root}' does not exist; name the one in which {layout}.")
        folder = self.root / split
        if not folder.is_dir():
            raise DataError(f"'{self.root}' has no folder '{split}'; {layout} in the data folder.")
        return folder

    def _classes(self, split: SplitName) -> list[str]:
        folder = self._folder(split)
        classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        if len(classes) < 2:
            raise DataError(f"'{folder}' needs a folder of images for each of two or more classes, has {classes}.")
        return classes

    def _same_classes(self, test: list[str]) -> None:
        train = self._classes("train")
        if test != train:
            missing, extra = sorted(set(train) - set(test)), sorted(set(test) - set(train))
            raise DataError(
                f"'{self.root / 'test'}' must have the class folders of '{self.root / 'train'}': "
                f"missing {missing}, unknown {extra}."
            )


def _progress(samples: list[Any], what: str) -> Iterator[Any]:
    if not sys.stderr.isatty():
        return iter(samples)
    from rich.console import Console
    from rich.progress import track

    return iter(track(samples, what, console=Console(stderr=True), transient=True))
