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

from . import across_sections, front_section, health_section, learning_section, page, pruning_section, sections
from .across import judge_across
from .atomic import check_target, replacing
from .errors import UserError
from .export import trials_table
from .figures import quiet
from .final_results import facts as test_set_facts
from .final_section import test_set
from .fronts import HYPERVOLUME, scalar, several
from .methods import methods
from .records import StudyRecord
from .selection import choose, is_whole_plan
from .series import as_dict
from .storage import open_storage
from .summary import labels, load, summarize
from .units import Unit, listed, unit_of
from .verdict import Verdict, judge


def report(url: str, path: str | Path, *, plans: Sequence[str] = (), studies: Sequence[str] = ()) -> list[Path]:
    """Write the page of one plan, of several, or of any studies of the database at ``url``.

    Raises:
        UserError: neither plans nor studies, or both; or as the function that writes the page.
    """
    if bool(plans) == bool(studies):
        raise UserError("name the plans of a report, or any studies by --studies a,b,c; one of the two.")
    storage = open_storage(url, create=False)
    if studies:
        return write_studies(storage, studies, path)
    if len(plans) == 1:
        return write_report(storage, plans[0], path)
    return write_across(storage, plans, path)


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
    files = _files(path)
    return _write_one(storage, load(storage, plan), plan, files, margin)


def write_studies(
    storage: BaseStorage, names: Sequence[str], path: str | Path, *, margin: float | None = None
) -> list[Path]:
    """:func:`write_report` of any studies of a database, also of those that another tool made.

    Raises:
        UserError: as :func:`write_report`; no such study, several objectives, or different directions.
    """
    files = _files(path)
    records = choose(storage, names)
    plans = list(dict.fromkeys(r.plan for r in records if r.plan))
    title = plans[0] if len(plans) == 1 and all(r.plan for r in records) else listed(labels(records))
    picked = not is_whole_plan(storage, records)
    return _write_one(storage, records, title, files, margin, picked=picked)


def write_across(
    storage: BaseStorage, plans: Sequence[str], path: str | Path, *, margin: float | None = None
) -> list[Path]:
    """One page over several plans, each of them another task: Friedman's test, the diagram, and each plan's verdict.

    Raises:
        UserError: as :func:`write_report`, for each plan.
    """
    files = _files(path)
    groups = {plan: load(storage, plan) for plan in dict.fromkeys(plans)}
    units = {plan: _unit(storage, records) for plan, records in groups.items()}
    verdicts = {plan: judge(records, units[plan], margin) for plan, records in groups.items()}
    across = judge_across(groups)
    parts = [
        across_sections.over_tasks(across, units),
        *(
            across_sections.one_task(i, plan, records, units[plan], verdicts[plan])
            for i, (plan, records) in enumerate(groups.items())
        ),
        methods(),
    ]
    facts = {
        "verdict": across.as_dict(),
        "plans": [numbers(plan, records, units[plan], verdicts[plan]) for plan, records in groups.items()],
    }
    facts = {**_made(), **_finite(facts)}
    every = [r for records in groups.values() for r in records]
    return _write(files, listed(groups), sections.verdict_box(across), parts, facts, every)


def _files(path: str | Path) -> list[Path]:
    """The three files of a report, checked before anything is computed."""
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"a report is an HTML page: name it FILE.html, got {path}.")
    files = [path, path.with_suffix(".json"), path.with_suffix(".csv")]
    for file in files:
        check_target(file)
    return files


def _unit(storage: BaseStorage, records: Sequence[StudyRecord]) -> Unit:
    with quiet():
        metrics = optuna.load_study(study_name=records[0].name, storage=storage).metric_names or ["score"]
    return unit_of(metrics[0], [r.best.value for r in records if r.best])


def _write_one(
    storage: BaseStorage,
    records: Sequence[StudyRecord],
    title: str,
    files: Sequence[Path],
    margin: float | None,
    *,
    picked: bool = False,
) -> list[Path]:
    with quiet():
        studies = {r.name: optuna.load_study(study_name=r.name, storage=storage) for r in records}
    if several(records):
        return _write_fronts(storage, records, title, files, margin)
    unit = _unit(storage, records)
    verdict = judge(records, unit, margin, picked=picked)
    facts = numbers(title, records, unit, verdict)
    # The order of the page: the answer, what it rests on, what else is known, and at the end how it was made.
    parts = [
        sections.curves(records, unit),
        *sections.differences(verdict, unit),
        sections.winners(records, unit),
        *learning_section.section(records, unit),
        test_set(records, unit),
        *pruning_section.section(records, unit),
        health_section.section(records, unit),
        sections.together(studies, records, unit),
        sections.each(studies, records, unit),
        *_how(records, verdict, facts),
    ]
    return _write(files, title, sections.header(verdict, records), parts, facts, records)


def _write_fronts(
    storage: BaseStorage, records: Sequence[StudyRecord], title: str, files: Sequence[Path], margin: float | None
) -> list[Path]:
    """The page of two objectives: fronts, and everything that compares their hypervolumes."""
    with quiet():
        names = optuna.load_study(study_name=records[0].name, storage=storage).metric_names
    names = names or ["objective 1", "objective 2"]
    shares, unit = scalar(records), Unit(HYPERVOLUME)
    verdict = judge(shares, unit, margin)
    facts = {**numbers(title, shares, unit, verdict), "front": front_section.as_dict(records, names)}
    parts = [
        front_section.section(records, names),
        sections.curves(shares, unit),
        *sections.differences(verdict, unit),
        health_section.section(records, unit),
        *_how(records, verdict, facts),
    ]
    return _write(files, title, sections.header(verdict, shares), parts, facts, records)


def _how(records: Sequence[StudyRecord], verdict: Verdict, facts: Mapping[str, Any]) -> list[sections.Section]:
    """The end of every page: how its answer was made."""
    return [sections.compared(records), methods(verdict), sections.provenance(facts)]


def _write(
    files: Sequence[Path],
    title: str,
    head: str,
    parts: Sequence[sections.Section],
    facts: Mapping[str, Any],
    records: Sequence[StudyRecord],
) -> list[Path]:
    path, json_path, csv_path = files
    texts = {
        csv_path: trials_table(records).to_csv(index=False),
        json_path: json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        path: page.document(f"Which optimizer? {title}", head, parts, sections.footer(facts)),
    }
    for file, text in texts.items():
        with replacing(file) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    return list(files)


def _made() -> dict[str, Any]:
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("hpo-optuna", "optuna", "plotly")},
    }


def numbers(plan: str, records: Sequence[StudyRecord], unit: Unit, verdict: Verdict) -> dict[str, Any]:
    """Everything that the page says, for machines; NaN and infinity become null."""
    fingerprint = dict(records[0].attrs.get("fingerprint") or {})
    samplers = {r.label: (r.attrs.get("fingerprint") or {}).get("sampler") for r in records}
    facts = {
        "plan": plan,
        **_made(),
        "metric": unit.metric,
        "direction": records[0].direction,
        "planned": records[0].attrs.get("planned"),
        "verdict": verdict.as_dict(),
        "curves": as_dict(records),
        "pruning": pruning_section.as_dict(records),
        "health": health_section.as_dict(records),
        "studies": [summarize(r).as_dict() for r in records],
        "test_set": test_set_facts(records),
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
