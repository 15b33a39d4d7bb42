"""A plan's studies in a database: made, recognised, refused."""

from __future__ import annotations

import os
import platform
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial

from .errors import UserError
from .looks import Event, events, note_reopening, was_opened
from .notes import describe
from .objectives import metric_names
from .plan import ComparisonPlan, corners, sampler_seed
from .records import REFERENCE, StudyRecord, read, study_name, study_record
from .registry import make_sampler
from .stopwatch import TimedSampler
from .summary import PLANNED_SAMPLERS
from .units import unit_of

FINGERPRINT, PLANNED, PROVENANCE, EXTENDED = "fingerprint", "planned", "provenance", "extended"


@dataclass(frozen=True)
class PlannedStudy:
    """One study of a plan, open for asking."""

    study: Study
    label: str
    replicate: int

    def record(self, trials: Sequence[FrozenTrial] | None = None) -> StudyRecord:
        """What the database says of it now; or what ``trials`` said a moment ago, without the study's attributes."""
        study = self.study
        if trials is not None:
            return study_record(study.study_name, study.directions, trials, {})
        return study_record(study.study_name, study.directions, study.get_trials(deepcopy=False), study.user_attrs)

    def unasked(self) -> int | None:
        """Points that a finite sampler, as a grid, has not yet given to any trial; None for an endless one."""
        remaining = getattr(self.study.sampler, "remaining", None)
        return None if remaining is None else int(remaining(self.study))


def matrix(plan: ComparisonPlan, only: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    """(label, replicate) of every study, replicate by replicate.

    Raises:
        UserError: ``only`` names a label that the plan does not have.
    """
    for label in only:
        if label not in plan.samplers:
            raise UserError(f"the plan {plan.name} has no sampler {label!r}; it has {', '.join(plan.samplers)}.")
    labels = [label for label in plan.samplers if not only or label in only]
    return [(label, replicate) for replicate in range(plan.replicates) for label in labels]


def check(plan: ComparisonPlan, only: tuple[str, ...] = ()) -> dict[str, BaseSampler]:
    """Everything that can be wrong with a plan before a database is touched, data are fetched or a trial is started.

    Returns:
        A sampler of each label.

    Raises:
        UserError: naming what is wrong.
    """
    labels = dict.fromkeys(label for label, _ in matrix(plan, only))
    task_check = getattr(plan.task, "check", None)
    if task_check is not None:
        for corner in corners(plan.space):
            try:
                task_check(corner)
            except (ValueError, TypeError) as error:
                raise UserError(f"the plan {plan.name}: {error}") from error
    specs = {label: plan.samplers[label] for label in labels}
    return {label: make_sampler(s.name, plan.space, seed=0, **s.options) for label, s in specs.items()}


def open_studies(plan: ComparisonPlan, storage: BaseStorage, only: tuple[str, ...] = ()) -> list[PlannedStudy]:
    """Create or load the studies of ``plan``, refusing those that were started with another plan.

    Nothing is created before every stored study has been checked.

    Raises:
        UserError: naming the field of the fingerprint that differs.
    """
    cells = matrix(plan, only)
    fingerprints = {label: plan.fingerprint(label) for label, _ in cells}
    stored = {s.study_name: s for s in storage.get_all_studies()}
    for label, replicate in cells:
        known = stored.get(plan.study_name(label, replicate))
        if known is not None:
            _recognise(known, fingerprints[label], storage)
    return [_open(plan, storage, label, replicate, fingerprints[label]) for label, replicate in cells]


def _recognise(stored: FrozenStudy, expected: dict[str, Any], storage: BaseStorage) -> None:
    name, attrs = stored.study_name, stored.user_attrs
    if FINGERPRINT not in attrs:
        if storage.get_all_trials(stored._study_id, deepcopy=False):
            raise UserError(f"study {name} is in the database but was not made by this tool; choose another plan name.")
        # Empty: its maker died between creating and signing it. Optuna would silently keep its direction.
        attrs = {FINGERPRINT: {**expected, "direction": "/".join(d.name.lower() for d in stored.directions)}}
    for field, value in expected.items():
        if attrs[FINGERPRINT].get(field) != value:
            where, old, new = _difference(field, attrs[FINGERPRINT].get(field), value)
            raise UserError(
                f"study {name} was started with another {field}: {where} was {old!r}, now {new!r}. "
                "Restore it, or give the plan another name or another database."
            )


def _difference(path: str, old: Any, new: Any) -> tuple[str, Any, Any]:
    """The innermost place where two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(k for k in old if k not in new)]:
            if old.get(key) != new.get(key):
                return _difference(f"{path}.{key}", old.get(key), new.get(key))
    return path, old, new


def _open(
    plan: ComparisonPlan, storage: BaseStorage, label: str, replicate: int, fingerprint: dict[str, Any]
) -> PlannedStudy:
    spec = plan.samplers[label]
    study = optuna.create_study(
        study_name=study_name(plan.name, label, replicate),
        storage=storage,
        sampler=TimedSampler(make_sampler(spec.name, plan.space, seed=sampler_seed(plan, replicate), **spec.options)),
        pruner=plan.study_pruner(),
        directions=list(plan.directions),
        load_if_exists=True,
    )
    if FINGERPRINT not in study.user_attrs:
        study.set_user_attr("label", label)
        study.set_user_attr("replicate", replicate)
        study.set_user_attr(FINGERPRINT, fingerprint)  # last: with it, the study is complete
    return PlannedStudy(study, label, replicate)


REOPENED = (
    "finalize had closed this plan, and it is reopened now: that is on record, and what comes of it is exploratory. "
    "Its test set stays locked; another look takes `hpo-optuna finalize --again REASON`."
)


def annotate(plan: ComparisonPlan, studies: list[PlannedStudy]) -> list[str]:
    """Write on each study what was planned, by whom it is run, and a note for the dashboard; only what changed.

    Returns:
        What the user is told: that a plan closed by a look at the test set is reopened, or that other bits follow.
    """
    planned = {"trials": plan.budget.trials, "epochs": plan.budget.epochs, "replicates": plan.replicates}
    if _was_finished(plan, studies) and any(_grows(s.study.user_attrs, plan, planned) for s in studies):
        for opened in studies:
            opened.study.set_user_attr(EXTENDED, True)
    said = [REOPENED] if _reopened(plan, studies, planned) else []
    here = provenance(plan)
    before = {run.get("precision") for s in studies for run in s.study.user_attrs.get(PROVENANCE, [])} - {None}
    if "precision" in here and before - {here["precision"]}:
        said.append(
            f"These studies were begun in {' and '.join(sorted(before))}; this machine computes in "
            f"{here['precision']}: the same configuration and seed give slightly other scores here."
        )
    metric = metric_names(plan.task, len(plan.directions))
    for opened in studies:
        if opened.study.metric_names != metric:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)  # set_metric_names is experimental in Optuna 5
                opened.study.set_metric_names(metric)
        attrs = opened.study.user_attrs
        if here not in attrs.get(PROVENANCE, []):
            opened.study.set_user_attr(PROVENANCE, [*attrs.get(PROVENANCE, []), here])
        if plan.reference is not None and attrs.get(REFERENCE) != list(plan.reference):
            opened.study.set_user_attr(REFERENCE, list(plan.reference))
        if attrs.get(PLANNED_SAMPLERS) != list(plan.samplers):
            opened.study.set_user_attr(PLANNED_SAMPLERS, list(plan.samplers))
        if attrs.get(PLANNED) != planned:
            opened.study.set_user_attr(PLANNED, planned)
            write_note(opened)
    return said


def _reopened(plan: ComparisonPlan, studies: list[PlannedStudy], planned: Mapping[str, Any]) -> bool:
    if all(s.study.user_attrs.get(PLANNED) == planned for s in studies):
        return False
    past = events(read(studies[0].study._storage, plan.name))
    return note_reopening([s.study for s in studies], past, planned)


def write_note(opened: PlannedStudy) -> None:
    """The study's note in the dashboard, while there is no verdict to say."""
    from optuna_dashboard import save_note  # imports for seconds, and is needed rarely

    save_note(opened.study, note_text(opened))


def note_text(opened: PlannedStudy, entries: Sequence[Event] = (), verdict: str = "") -> str:
    """What a study's note says: the plan, the verdict, and what was seen of the test set.

    Args:
        opened: the study, signed and planned.
        entries: the log of the plan's test set; empty: the study's own.
        verdict: in Markdown.
    """
    record = opened.record()
    parts = [describe(record.attrs[FINGERPRINT], record.attrs[PLANNED]), *([verdict] if verdict else [])]
    entries = entries or events([record])
    if was_opened(entries):
        from .final_results import note

        metric = (opened.study.metric_names or ["score"])[0]
        parts.append(note(record, entries, unit_of(metric, [record.best.value if record.best else None])))
    return "\n".join(parts)


def _grows(attrs: Mapping[str, Any], plan: ComparisonPlan, planned: Mapping[str, Any]) -> bool:
    """Whether a study is new, or is asked for more than before, or gets a rival that its plan did not have."""
    return attrs.get(PLANNED) != planned or not set(plan.samplers) <= set(attrs.get(PLANNED_SAMPLERS, plan.samplers))


def _was_finished(plan: ComparisonPlan, studies: list[PlannedStudy]) -> bool:
    """Whether the plan, as it was last run, had come to its end: what is added then makes it exploratory."""
    from .verdict import is_finished  # imports scipy's statistics, and workers need none

    old = [s for s in read(studies[0].study._storage, plan.name) if s.attrs.get(PLANNED)]
    return bool(old) and is_finished(old)


def provenance(plan: ComparisonPlan) -> dict[str, Any]:
    """Versions, commit and device: what else a result may depend on."""
    task = getattr(plan.task, "provenance", None)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: _version(name) for name in ("hpo-optuna", "optuna", "numpy", "scipy")},
        **_commit(),
        **(task() if task is not None else {}),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> dict[str, Any]:
    """Commit and dirty flag of the checkout this package lies in, or else of the working directory."""
    for folder in (Path(__file__).parent, Path.cwd()):
        try:
            command = [
                "git",
                "-C",
                str(folder),
                "status",
                "--porcelain=v2",
                "--branch",
                "--untracked-files=no",
            ]
            env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
            out = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=env).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        lines = out.splitlines()
        commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid")), "unknown")
        return {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}
    return {"commit": None, "dirty": None}
