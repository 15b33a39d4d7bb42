"""Where Optuna's artifacts of a database lie, and how files get there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.storages import BaseStorage
from optuna.study import Study

from .errors import UserError
from .storage import absolute_url, sqlite_path

PREFIX = "artifacts:"  # of the study's system attributes that name its artifacts, as Optuna writes them


def artifact_folder(storage: str | BaseStorage) -> Path | None:
    """The folder of a database's artifacts: ``hpo.db-artifacts`` beside ``hpo.db``; None beside no SQLite file."""
    url = storage if isinstance(storage, str) else getattr(storage, "url", None)
    path = None if url is None else sqlite_path(absolute_url(url))
    return None if path is None else path.with_name(f"{path.name}-artifacts")


def attach(study: Study, file: Path, name: str, folder: Path) -> None:
    """Make ``file`` an artifact of ``study``, called ``name``; nothing where the study has it already.

    A trial that has ended takes no artifacts (Optuna lets nobody change it), so a winner's files are its study's.

    Raises:
        UserError: the folder cannot be written.
    """
    if name in attached(study, folder):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as temporary:
            copy = Path(temporary, name)  # Optuna takes an artifact's name from its file
            shutil.copyfile(file, copy)
            store = FileSystemArtifactStore(folder)
            upload_artifact(study_or_trial=study, file_path=str(copy), artifact_store=store)
    except OSError as error:
        raise UserError(f"cannot keep {file} among the artifacts in {folder}: {error}.") from error


def attached(study: Study, folder: Path) -> dict[str, str]:
    """Name -> id of the study's artifacts whose files are there.

    Not ``get_all_artifact_meta``: it fails on what the dashboard leaves of an artifact that was deleted there.
    """
    attrs = study._storage.get_study_system_attrs(study._study_id)
    found = [json.loads(value) for key, value in attrs.items() if key.startswith(PREFIX)]
    return {a["filename"]: a["artifact_id"] for a in found if a and (folder / a["artifact_id"]).is_file()}
