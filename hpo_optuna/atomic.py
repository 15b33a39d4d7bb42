"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError


def check_target(path: Path) -> None:
    """Whether a file can stand at ``path``.

    Raises:
        UserError: its folder is missing, or it is a folder.
    """
    if not path.parent.is_dir():
        raise UserError(f"the folder {path.parent} does not exist; create it first.")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file in it.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it takes its place when the block ends without an error.

    Raises:
        UserError: the folder of ``path`` is missing or refuses the file.
    """
    check_target(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except PermissionError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; choose another place.") from error
    finally:
        temporary.unlink(missing_ok=True)
