"""The winners, retrained with fresh seeds and tested: the only door to the test split."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from rich import box
from rich.table import Table

from .artifacts import attach
from .atomic import replacing
from .curves import is_done
from .errors import UserError
from .final_results import FinalResult, result
from .looks import FINAL, Event, append, events, was_opened
from .matrix import PlannedStudy
from .plan import ComparisonPlan
from .records import StudyRecord
from .status import configuration
from .tasks.task import Diverged

TAG = 0xF1  # keeps these seeds apart from the search's, which have no fourth word
FINISHED = "the plan is finished"  # why the test set is opened for the first time

NO_ARTIFACTS = "artifacts lie beside an SQLite file, and this database is none, so the dashboard lists no models."


def finalize(
    plan: ComparisonPlan,
    studies: Sequence[PlannedStudy],
    directory: Path,
    *,
    seeds: int = 5,
    again: str | None = None,
    artifacts: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[FinalResult, ...]:
    """Retrain each study's winner on training and validation data with fresh seeds, test each model once, save it.

    Before the first test the log of the test set says which models may be tested (``looks``); what was measured stands
    in the study's attribute ``final``, model by model. So an interrupted call goes on where it stopped, and a repeated
    one measures nothing. Anything else (more seeds, winners of a plan that was extended) is another look: it needs
    ``again``, and all looks stay on record.

    Args:
        plan: the plan.
        studies: all its studies, open.
        directory: where the models go: ``<directory>/<study>/trial-<number>/seed-<k>/``.
        seeds: retrainings per winner.
        again: why the test set is to be looked at once more.
        artifacts: folder of the database's artifacts, which the models join; None: they join none.
        tell: called with a line after each model.

    Raises:
        UserError: the task cannot be finalized, the plan has not been run to its end, the test set was opened before
            and ``again`` is not given, or another process finalizes.
    """
    if getattr(plan.task, "finalize", None) is None:
        raise UserError(
            f"the task of plan {plan.name} has no finalize(config, *, seed, directory); it has no test split."
        )
    if len(plan.directions) > 1:
        raise UserError(
            f"plan {plan.name} has two objectives, so no study has one winner to finalize; choose a configuration "
            "from the front of the report, and call task.finalize(config, seed=..., directory=...)."
        )
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
        raise UserError(f"seeds must be a whole number of at least 1, got {seeds!r}.")
    if again is not None and not (isinstance(again, str) and again.strip()):
        raise UserError(f"another look at the test set needs a reason in words (--again REASON), got {again!r}.")
    with _alone(artifacts):
        _open(plan, studies, seeds, again, tell)
        found = tuple(_finalize_study(plan, opened, directory, seeds, artifacts, tell) for opened in studies)
    if artifacts is None:
        tell(f"The models lie in {directory}; {NO_ARTIFACTS}")
    return found


@contextmanager
def _alone(artifacts: Path | None) -> Iterator[None]:
    """Two at a time would test each model twice."""
    if artifacts is None:
        yield
        return
    try:
        artifacts.mkdir(parents=True, exist_ok=True)
        with FileLock(artifacts / "finalize.lock", blocking=False):
            yield
    except Timeout as error:
        raise UserError("another process finalizes a plan of this database; wait for it to end.") from error
    except PermissionError as error:
        raise UserError(f"the artifact folder {artifacts} cannot be written: {error.strerror}.") from error


def _open(
    plan: ComparisonPlan,
    studies: Sequence[PlannedStudy],
    seeds: int,
    again: str | None,
    tell: Callable[[str], None],
) -> None:
    """Get leave to test what is not tested yet, and put it on record; or refuse."""
    records = [opened.record() for opened in studies]
    unfinished = [record.name for record in records if not is_done(record) or record.best is None]
    if unfinished:
        raise UserError(
            f"the test set stays locked until the plan is finished; {len(unfinished)} of {len(records)} studies "
            f"are not, the first is {unfinished[0]}. Finish with `hpo-optuna run`."
        )
    entries = events(records)
    winners = {r.name: r.best.number for r in records if r.best is not None}
    missing = [(r.name, winners[r.name], k) for r in records for k in _missing(r, winners[r.name], seeds)]
    if missing and not all(any(e.permits(*model) for e in entries) for model in missing):
        if was_opened(entries) and again is None:
            raise UserError(_refusal(entries, len(missing), len({m[0] for m in missing})))
        planned = {"trials": plan.budget.trials, "epochs": plan.budget.epochs, "replicates": plan.replicates}
        why = FINISHED if again is None else again.strip()
        append([o.study for o in studies], "opened", why, planned, winners=winners, seeds=seeds)
    elif again is not None and not missing:
        raise UserError(
            f"there is nothing new to see: {seeds} models of each winner are tested, and the same seeds would give the "
            f"same scores. Leave out --again to read them, or ask for more models: --seeds {2 * seeds}."
        )
    elif not missing:
        first = next(e for e in entries if e.kind == "opened")
        tell(f"The test set was opened on {first.day} UTC; these are the scores on record, nothing was tested anew.")


def _missing(record: StudyRecord, trial: int, seeds: int) -> list[int]:
    seen = {look["k"] for look in record.attrs.get(FINAL) or () if look["trial"] == trial}
    return [k for k in range(seeds) if k not in seen]


def _refusal(entries: Sequence[Event], models: int, studies: int) -> str:
    last = [e for e in entries if e.kind == "opened"][-1]
    plural = "study" if studies == 1 else "studies"
    return (
        f"the test set was opened on {last.day} UTC by {last.by} ({last.why}), which closed the plan. "
        f"Testing {models} more models of {studies} {plural} is another look at it; if it must be, say why: "
        "--again REASON. It stays on record, and the report says it."
    )


def _finalize_study(
    plan: ComparisonPlan,
    opened: PlannedStudy,
    directory: Path,
    seeds: int,
    artifacts: Path | None,
    tell: Callable[[str], None],
) -> FinalResult:
    record = opened.record()
    assert record.best is not None
    trial = record.best.number
    home = directory / record.name / f"trial-{trial}"
    for k in _missing(record, trial, seeds):
        look = _look(plan, record, k, home / f"seed-{k}")
        opened.study.set_user_attr(FINAL, [*opened.study.user_attrs.get(FINAL, []), look])
        said = look["diverged"] if look["score"] is None else f"test {look['score']:.4g}"
        tell(f"{record.label}/seed-{record.replicate}: model {k + 1} of {seeds}, {said}")
    record = opened.record()
    final = result(record, trial, seeds)
    summary = home / "winner.json"
    summary.parent.mkdir(parents=True, exist_ok=True)
    with replacing(summary) as temporary:
        temporary.write_text(json.dumps(_card(record, final), indent=2, default=str), encoding="utf-8")
    if artifacts is not None:
        attach(opened.study, summary, f"trial-{trial}-{len(final.tests)}-models.json", artifacts)
        for look in record.attrs[FINAL]:
            path = Path(look.get("path", ""))
            if look["trial"] == trial and path.is_file():
                attach(opened.study, path, f"trial-{trial}-seed-{look['k']}-{path.name}", artifacts)
    return final


def _look(plan: ComparisonPlan, record: StudyRecord, k: int, directory: Path) -> dict[str, Any]:
    """Train model ``k`` of the study's winner and test it."""
    best = record.best
    assert best is not None
    seed = int(np.random.SeedSequence([plan.seed, record.replicate, TAG, k]).generate_state(1)[0] >> 1)
    look: dict[str, Any] = {"trial": best.number, "k": k, "seed": seed}
    try:
        score: Any = plan.task.finalize(dict(best.params), seed=seed, directory=directory)  # type: ignore[attr-defined]
    except Diverged as error:
        return {**look, "when": _now(), "score": None, "diverged": f"diverged: {error.reason}"}
    except (ValueError, OSError) as error:
        raise UserError(f"{record.name}: {error}") from error
    fields = asdict(score) if is_dataclass(score) and not isinstance(score, type) else {}
    fields = {key: str(v) if isinstance(v, Path) else v for key, v in fields.items()}
    return {**look, "when": _now(), "score": float(score), **fields}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _card(record: StudyRecord, final: FinalResult) -> dict[str, Any]:
    """Where the models come from and what they scored, the search's part included, which a model cannot know."""
    return {
        "study": record.name,
        **final.as_dict(),
        "looks": [look for look in record.attrs[FINAL] if look["trial"] == final.trial],
        "log": [asdict(e) for e in events([record])],
        "planned": record.attrs.get("planned"),
        "fingerprint": record.attrs.get("fingerprint"),
        "provenance": record.attrs.get("provenance"),
    }


def table(winners: Sequence[FinalResult]) -> Table:
    """Validation beside test: the gap is the winner's curse less what more data gave."""
    drawn = Table(title="test set, unlocked", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("study", "configuration", "models"):
        drawn.add_column(column)
    for column in ("validation that won", "test, mean", "95 % interval", "gap"):
        drawn.add_column(column, justify="right")
    for one in winners:
        mean, low, high = one.interval()
        drawn.add_row(
            f"{one.label}/seed-{one.replicate}",
            configuration(one.params),
            f"{len(one.tests)}" + (f", {one.diverged} diverged" if one.diverged else ""),
            f"{one.validation:.4g}",
            f"{mean:.4g}",
            "one model" if math.isnan(low) else f"{low:.4g} to {high:.4g}",
            f"{one.gap:+.4g}",
        )
    return drawn
