"""One self-contained HTML page about a comparison, with its numbers beside it as JSON and CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage

from . import page, sections
from .atomic import check_target, replacing
from .errors import UserError
from .export import trials_table
from .figures import quiet
from .records import StudyRecord
from .summary import load, summarize
from .units import Unit, unit_of
from .verdict import Verdict, judge


def write_report(storage: BaseStorage, plan: str, path: str | Path, *, margin: float | None = None) -> list[Path]:
    """Write the report of ``plan`` to ``path`` (.html), its numbers to .json and its trials to .csv beside it.

    Args:
        storage: the database; a comparison that is still running is reported as far as it is.
        plan: the plan's name.
        path: the page.
        margin: differences of scores up to this are of no practical interest; None: half a point of an accuracy.

    Returns:
        The three files.

    Raises:
        UserError: no such plan, another suffix, or a folder that is missing.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"a report is an HTML page: name it FILE.html, got {path}.")
    for file in (path, path.with_suffix(".json"), path.with_suffix(".csv")):
        check_target(file)
    records = load(storage, plan)
    with quiet():
        studies = {r.name: optuna.load_study(study_name=r.name, storage=storage) for r in records}
    metric = (studies[records[0].name].metric_names or ["score"])[0]
    unit = unit_of(metric, [r.best.value for r in records if r.best])
    verdict = judge(records, unit, margin)
    facts = numbers(plan, records, unit, verdict)
    parts = [
        sections.curves(records, unit),
        *sections.differences(verdict, unit),
        sections.winners(records, unit),
        sections.together(studies, records, unit),
        sections.each(studies, records, unit),
        *sections.failures(records),
        sections.compared(records),
        sections.provenance(facts),
    ]
    html = page.document(f"Which optimizer? {plan}", sections.header(verdict, records), parts, sections.footer(facts))
    texts = {
        path.with_suffix(".csv"): trials_table(records).to_csv(index=False),
        path.with_suffix(".json"): json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        path: html,
    }
    for file, text in texts.items():
        with replacing(file) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    return [path, path.with_suffix(".json"), path.with_suffix(".csv")]


def numbers(plan: str, records: Sequence[StudyRecord], unit: Unit, verdict: Verdict) -> dict[str, Any]:
    """Everything that the page says, for machines; NaN and infinity become null."""
    fingerprint = dict(records[0].attrs.get("fingerprint") or {})
    samplers = {r.label: (r.attrs.get("fingerprint") or {}).get("sampler") for r in records}
    facts = {
        "plan": plan,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("hpo-optuna", "optuna", "plotly")},
        "metric": unit.metric,
        "direction": records[0].direction,
        "planned": records[0].attrs.get("planned"),
        "verdict": verdict.as_dict(),
        "studies": [summarize(r).as_dict() for r in records],
        "fingerprint": {**fingerprint, "sampler": samplers},
        "provenance": _distinct(p for r in records for p in r.attrs.get("provenance") or ()),
    }
    return dict(_finite(facts))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value


def _distinct(items: Any) -> list[Any]:
    return list({json.dumps(item, sort_keys=True, default=str): item for item in items}.values())
