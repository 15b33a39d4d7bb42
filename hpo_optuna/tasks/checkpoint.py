"""A training's last finished epoch on disk: whoever trains the same thing again goes on from there.

A checkpoint saves time and nothing else: every score is a function of configuration, seed and fingerprint, so one that
is missing, damaged, locked or switched off costs the epochs it held and changes no result. It holds the scores so far
and the state of net and optimizer. There is no state of random numbers or of the learning rate to keep: both are
functions of seed, epoch and step.
"""

import copy
import hashlib
import io
import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from filelock import FileLock, Timeout

from .task import Score

if TYPE_CHECKING:
    import torch

    Stateful: TypeAlias = torch.nn.Module | torch.optim.Optimizer

FORMAT: Final = b"hpo-optuna checkpoint 1\n"
EVERY_SECONDS = 1.0  # of training between two writes: an epoch shorter than this is cheaper to repeat than to keep
KEEP_SECONDS: Final = 7 * 24 * 3600.0  # of a checkpoint to which nobody came back


class Checkpoint:
    """The checkpoint of one training, locked: see `checkpointed`."""

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        self._written = time.perf_counter()

    def restore(self, **parts: "Stateful") -> list[Score]:
        """Put the parts where the last finished epoch left them, and return the scores so far.

        Without a usable checkpoint the parts stay as they are, and there are no scores.
        """
        try:
            saved = unpack(self._path.read_bytes(), self._key)
        except FileNotFoundError:
            return []
        except Exception as error:  # Damage has as many faces as there are bytes; none is worth a trial.
            warnings.warn(f"The checkpoint {self._path} is ignored: {error}", stacklevel=2)
            return []
        fresh = {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}
        try:
            for name, part in parts.items():
                part.load_state_dict(saved[name])
            return [Score(*row) for row in saved["scores"]]
        except Exception as error:  # written by other code under the same recipe
            for name, part in parts.items():
                part.load_state_dict(fresh[name])
            warnings.warn(f"The checkpoint {self._path} is ignored: {error}", stacklevel=2)
            return []

    def save(self, scores: list[Score], **parts: "Stateful") -> None:
        """Replace the checkpoint by this epoch's, all or nothing; not more often than every EVERY_SECONDS.

        No fsync: after a power failure the checksum tells a file that never reached the disk.
        """
        if time.perf_counter() - self._written < EVERY_SECONDS:
            return
        half = self._path.with_suffix(f".{os.getpid()}.half")
        try:
            half.parent.mkdir(parents=True, exist_ok=True)  # somebody may have deleted it meanwhile
            half.write_bytes(pack(self._key, scores, parts))
            os.replace(half, self._path)
        except OSError as error:
            warnings.warn(f"No checkpoint was written to {self._path}: {error}", stacklevel=2)
        finally:
            with suppress(OSError):
                half.unlink()
        self._written = time.perf_counter()


def pack(key: str, scores: list[Score], parts: Mapping[str, "Stateful"]) -> bytes:
    """What stands in the file: a line of format, the checksum of the rest, and what torch makes of the state."""
    import torch

    buffer = io.BytesIO()
    state = {name: part.state_dict() for name, part in parts.items()}
    torch.save({"key": key, "scores": [list(astuple(score)) for score in scores], **state}, buffer)
    return sealed(buffer.getvalue())


def sealed(content: bytes) -> bytes:
    # torch's archives carry checksums that torch.load does not look at.
    return FORMAT + hashlib.sha256(content).digest() + content


def unpack(data: bytes, key: str) -> dict[str, Any]:
    """Raises ValueError, or whatever torch.load raises, where `data` is not a checkpoint of `key`."""
    import torch

    content = data[len(FORMAT) + 32 :]
    if data != sealed(content):
        raise ValueError("it is damaged.")
    saved: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    if saved["key"] != key:
        raise ValueError("it belongs to another training.")
    return saved


@contextmanager
def checkpointed(folder: Path, key: Mapping[str, Any]) -> Iterator[Checkpoint | None]:
    """The checkpoint of a training for as long as the block runs, under a lock; None where another process has it.

    At the end of the block the checkpoint is removed: the training has come to its end, has failed, or its generator
    was closed. Only an interruption (KeyboardInterrupt, or the death of the process) leaves it for the next try.

    Args:
        folder: where checkpoints are; made if need be.
        key: all that the scores depend on, JSON-able.
    """
    text = json.dumps(key, sort_keys=True)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.pt"
    # Not per thread: a generator may be closed by another thread than the one that began it.
    lock = FileLock(path.with_suffix(".lock"), thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        lock.acquire(blocking=False)
    except Timeout:
        yield None
        return
    except OSError as error:
        warnings.warn(f"No checkpoints in {folder}: {error}", stacklevel=2)
        yield None
        return
    checkpoint = Checkpoint(path, text)
    try:
        try:
            yield checkpoint
        except (Exception, GeneratorExit):
            _remove(path, lock)
            raise
        _remove(path, lock)
    finally:
        lock.release()


def _remove(path: Path, lock: FileLock) -> None:
    for file in (path, lock.lock_file):
        with suppress(OSError):  # Windows keeps a file that is open; `sweep` comes for it.
            os.unlink(file)


def sweep(folder: Path) -> None:
    """Remove what nobody came back to within KEEP_SECONDS."""
    for entry in os.scandir(folder):
        with suppress(OSError):  # another process was faster, or it is in use
            if entry.name.endswith((".pt", ".lock", ".half")) and time.time() - entry.stat().st_mtime > KEEP_SECONDS:
                os.unlink(entry.path)
