"""Trials as a table: CSV or Parquet."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage

from .atomic import replacing
from .errors import UserError
from .records import StudyRecord, TrialRecord
from .summary import load

if TYPE_CHECKING:
    import pandas as pd


def export(storage: BaseStorage, plan: str, path: str | Path) -> Path:
    """Write every trial of ``plan`` to ``path``, one row a trial.

    Args:
        storage: the database.
        plan: the plan's name.
        path: ``.csv`` or ``.parquet``.

    Raises:
        UserError: another suffix, no such plan, no such folder, or Parquet without pyarrow.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise UserError(f"trials are exported to .csv or .parquet, got {path.suffix or 'no suffix'!r} in {path}.")
    if suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UserError("Parquet needs pyarrow: pip install 'hpo-optuna[parquet]', or export to .csv.")
    table = trials_table(load(storage, plan))
    with replacing(path) as temporary:
        if suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False, engine="pyarrow")
    return path


def trials_table(records: Sequence[StudyRecord]) -> pd.DataFrame:
    """One row a trial, retried and void ones included.

    Columns: ``study``, ``sampler``, ``replicate``, ``number``, ``index``, ``state``, ``retry_of`` (number of the
    trial repeated), ``superseded``, ``void``, ``value``, one ``param_<name>`` each hyperparameter, ``epochs``
    (counted against the budget), ``seconds``, ``start`` and ``end`` (UTC), ``error``, ``ended``, ``scores`` (JSON:
    one score an epoch), ``details`` (JSON: what the task said beside the score) and ``audit`` (JSON: the scores after
    the pruner had stopped it, unreported; missing where it was not audited). With two objectives, ``values`` (JSON)
    beside an empty ``value``.
    """
    import pandas as pd

    names = list(dict.fromkeys(name for r in records for t in r for name in t.params))
    rows = [_row(record, trial, names) for record in records for trial in record]
    # As objects first: pandas makes floats of whole numbers as soon as one is missing.
    table = pd.DataFrame(rows, columns=_columns(names), dtype=object)
    kinds: dict[Any, tuple[str, ...]] = {
        "Int64": ("replicate", "number", "index", "retry_of", "epochs"),
        "float64": ("value", "seconds"),
        "bool": ("superseded", "void"),
        "string": ("study", "sampler", "state", "error", "ended", "scores", "details", "audit"),
    }
    for kind, columns in kinds.items():
        for column in columns:
            table[column] = table[column].astype(kind)
    if any(len(t.values) > 1 for r in records for t in r):
        values = [json.dumps(list(t.values)) if t.values else None for r in records for t in r]
        table.insert(list(table.columns).index("value") + 1, "values", pd.Series(values, dtype="string"))
    for column in ("start", "end"):
        table[column] = pd.to_datetime(table[column], utc=True)
    for name in names:
        table[f"param_{name}"] = _parameter(table[f"param_{name}"])
    return table


def _columns(names: Sequence[str]) -> list[str]:
    head = [
        "study",
        "sampler",
        "replicate",
        "number",
        "index",
        "state",
        "retry_of",
        "superseded",
        "void",
        "value",
    ]
    tail = ["epochs", "seconds", "start", "end", "error", "ended", "scores", "details", "audit"]
    return [*head, *(f"param_{name}" for name in names), *tail]


def _row(record: StudyRecord, trial: TrialRecord, names: Sequence[str]) -> dict[str, Any]:
    return {
        "study": record.name,
        "sampler": record.label,
        "replicate": record.replicate,
        "number": trial.number,
        "index": trial.index,
        "state": trial.state,
        "retry_of": trial.history[-1] if trial.history else None,
        "superseded": trial.superseded,
        "void": trial.void,
        "value": trial.value,
        **{f"param_{name}": trial.params.get(name) for name in names},
        "epochs": trial.epochs,
        "seconds": trial.seconds,
        "start": trial.start,
        "end": trial.end,
        "error": trial.error,
        "ended": trial.ended,
        "scores": json.dumps(list(trial.scores)),
        "details": json.dumps([dict(d) for d in trial.details]),
        "audit": json.dumps(list(trial.audit.scores)) if trial.audit else None,
    }


def _parameter(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of one type: whole numbers stay whole beside missing values, mixed categories become text."""
    kinds = {type(v) for v in column.dropna()}
    if kinds == {int}:
        return column.astype("Int64")
    if kinds and kinds <= {int, float}:
        return column.astype("float64")
    if kinds == {bool}:
        return column.astype("boolean")
    return column.map(str, na_action="ignore").astype("string")
