"""Data sets as memory-mapped uint8 arrays: each split is decoded once, and all processes share the pages.

A cache is two `.npy` files and a manifest that names them with shapes, sizes and checksum. Files are written
under another name and moved; the manifest moves last, so a reader sees all of it or nothing.

The cache lives in `.hpo-optuna-cache/` of the data folder where that is writable, else in the user's cache
folder, under a name made of the data folder's path.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from .cifar10 import Cifar10
from .digits import Digits
from .folder import Folder
from .source import DataError, Source, SplitName

SOURCES: Final[dict[str, Callable[[Path], Source]]] = {
    "cifar10": Cifar10,
    "folder": Folder,
    "digits": lambda _: Digits(),
}

VERSION: Final = 1  # of the cache's layout and of how a picture becomes 32x32x3

# What a damaged manifest or array file raises on its way through json and numpy.
_DAMAGE: Final = (OSError, ValueError, EOFError, KeyError, TypeError, SyntaxError)


@dataclass(frozen=True)
class Split:
    """An opened cache.

    Attributes:
        images: (n, 32, 32, 3), uint8, mapped copy-on-write: writing to it changes no file.
        labels: (n,), int64, indices into `classes`.
        content: sha256 of images, labels and classes.
        mean, std: of the red, green and blue values of the split, scaled to [0, 1].
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    content: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


def user_cache() -> Path:
    """`$XDG_CACHE_HOME/hpo-optuna`, or its like on macOS and Windows."""
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "hpo-optuna"


def root_folder(data: str, data_dir: str | None) -> Path:
    """The folder of the images: `data_dir`, else $HPO_OPTUNA_DATA, else the user's cache folder.

    Raises:
        DataError: data="folder" with neither.
    """
    named = data_dir or os.environ.get("HPO_OPTUNA_DATA")
    if data == "folder" and not named:
        raise DataError(
            "data='folder' needs to know the folder: give data_dir (--data-dir) or set HPO_OPTUNA_DATA; "
            "it holds train/<class name>/<image> and test/<class name>/<image>."
        )
    return Path(named).expanduser().resolve() if named else user_cache()


def prepare(data: str, data_dir: str | None, *, test: bool = False) -> None:
    """See to it that the training cache is there and undamaged, and the test cache where there is a source.

    One process at a time works on a data folder; the others wait, then find the work done. A test split that
    cannot be read is worth a warning here: only the end of a study needs it.

    Args:
        test: the test cache is a must, to be downloaded if need be.

    Raises:
        DataError: the images cannot be had.
    """
    root = root_folder(data, data_dir)
    source = SOURCES[data](root)
    source.check()
    cache = _cache_folder(root)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "prepare.lock"):
            for leftover in cache.glob("*.half"):
                leftover.unlink()
            _refresh(cache, data, "train", source)
            if test or source.has_test():
                try:
                    _refresh(cache, data, "test", source)
                except DataError as error:
                    if test:
                        raise
                    warnings.warn(f"No test split for finalize: {error}", stacklevel=2)
    except OSError as error:
        raise DataError(f"cannot write the image cache in '{cache}' ({error}); name another data folder.") from error


def open_split(data: str, data_dir: str | None, split: SplitName) -> Split:
    """Map a cache into memory: a millisecond, without reading the images. Prepares it where it is missing.

    Raises:
        DataError: the images cannot be had.
    """
    cache = _cache_folder(root_folder(data, data_dir))
    opened = _open(cache, data, split)
    if opened is None:
        prepare(data, data_dir, test=split == "test")
        opened = _open(cache, data, split)
    if opened is None:
        raise DataError(f"the cache in '{cache}' is damaged again as soon as written; check the disk.")
    return opened


def checkpoint_folder(data: str, data_dir: str | None) -> Path:
    """Where the checkpoints of trainings on these images are, beside their cache."""
    return _cache_folder(root_folder(data, data_dir)) / "checkpoints"


def _cache_folder(root: Path) -> Path:
    if os.access(root, os.W_OK) or not root.exists():
        return root / ".hpo-optuna-cache"
    return user_cache() / f"folder-{hashlib.sha256(str(root).encode()).hexdigest()[:16]}"


def _refresh(cache: Path, data: str, split: SplitName, source: Source) -> None:
    identity = f"{VERSION}: {source.identity(split)}"
    opened = _open(cache, data, split, identity)
    if opened is None or opened.content != _content(opened.images, opened.labels, opened.classes):
        _write(cache, data, split, source, identity)


def _open(cache: Path, data: str, split: SplitName, identity: str | None = None) -> Split | None:
    """The cache if its manifest, sizes and shapes agree (and it is of `identity`), else None."""
    try:
        manifest = json.loads((cache / f"{data}-{split}.json").read_text(encoding="utf-8"))
        arrays = []
        for name in ("images", "labels"):
            entry = manifest[name]
            path = cache / entry["file"]
            array = np.load(path, mmap_mode="c")
            if path.stat().st_size != entry["bytes"] or [str(array.dtype), *array.shape] != entry["array"]:
                return None
            arrays.append(array)
        known = identity is None or manifest["identity"] == identity
        rest = (manifest["content"], tuple(manifest["mean"]), tuple(manifest["std"]))
        return Split(arrays[0], arrays[1], tuple(manifest["classes"]), *rest) if known else None
    except _DAMAGE:
        return None


def _write(cache: Path, data: str, split: SplitName, source: Source, identity: str) -> None:
    pictures = source.read(split)
    mean, std = pictures.statistics or _statistics(pictures.images)
    content = _content(pictures.images, pictures.labels, pictures.classes)
    manifest: dict[str, Any] = {
        "identity": identity, "content": content, "classes": pictures.classes, "mean": mean, "std": std,
    }  # fmt: skip
    for name, array in (("images", pictures.images), ("labels", pictures.labels)):
        # The content is part of the name: a reader of older content keeps its file.
        path = cache / f"{data}-{split}-{content[:12]}-{name}.npy"
        half = path.with_suffix(".half")
        with half.open("wb") as file:
            np.save(file, array)
        os.replace(half, path)
        manifest[name] = {
            "file": path.name, "bytes": path.stat().st_size, "array": [str(array.dtype), *array.shape],
        }  # fmt: skip
    half = cache / f"{data}-{split}.half"
    half.write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    os.replace(half, cache / f"{data}-{split}.json")
    for old in cache.glob(f"{data}-{split}-*.npy"):
        if content[:12] not in old.name:
            try:
                old.unlink()
            except OSError:  # Windows keeps a file that somebody has mapped; the next rebuild tries again.
                continue


def _content(images: NDArray[np.uint8], labels: NDArray[np.int64], classes: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps([list(classes), list(images.shape)]).encode())
    digest.update(np.ascontiguousarray(images).data)
    digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return digest.hexdigest()


def _statistics(images: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel, from counts: a float32 sum of so many pixels saturates."""
    counts = [np.bincount(images[..., c].ravel(), minlength=256) for c in range(3)]
    levels = np.arange(256) / 255
    means = [float(levels @ n) / int(n.sum()) for n in counts]
    variances = [float((levels - m) ** 2 @ n) / int(n.sum()) for n, m in zip(counts, means, strict=True)]
    return means, [max(v**0.5, 1 / 255) for v in variances]
