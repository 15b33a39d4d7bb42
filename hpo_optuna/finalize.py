"""The winners, retrained with fresh seeds and tested: the only door to the test split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table
from scipy import stats

from .curves import is_done
from .errors import UserError
from .matrix import PlannedStudy
from .plan import ComparisonPlan
from .records import StudyRecord
from .status import configuration

FINAL = "final"  # the study's user attribute that holds what was seen of the test split
TAG = 0xF1  # keeps these seeds apart from the search's, which have no fourth word


@dataclass(frozen=True)
class FinalResult:
    """One study's winner on the test split.

    Attributes:
        label, replicate: the study.
        trial: number of the trial that won.
        params: its configuration.
        validation: the score that won.
        tests: test scores of the retrained winner, one per seed.
        paths: the saved models.
    """

    label: str
    replicate: int
    trial: int
    params: Mapping[str, Any]
    validation: float
    tests: tuple[float, ...]
    paths: tuple[str, ...]

    def interval(self, confidence: float = 0.95) -> tuple[float, float, float]:
        """(mean, low, high) of the test score over the seeds, by Student's t; NaN ends for a single seed."""
        mean = float(np.mean(self.tests))
        if len(self.tests) < 2:
            return mean, float("nan"), float("nan")
        low, high = stats.t.interval(confidence, len(self.tests) - 1, loc=mean, scale=stats.sem(self.tests))
        return mean, float(low), float(high)


def finalize(
    plan: ComparisonPlan,
    studies: Sequence[PlannedStudy],
    directory: Path,
    *,
    seeds: int = 5,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[FinalResult, ...]:
    """Retrain each study's winner on training and validation data with fresh seeds, test each model once, save it.

    What was measured stands in the study's attribute ``final``, model by model, so an interrupted call goes on
    where it stopped and a repeated one measures nothing. A winner that changed because the plan was extended is
    measured beside the old one: every look at the test split stays on record.

    Args:
        plan: the plan.
        studies: all its studies, open.
        directory: where the models go: ``<directory>/<study>/trial-<number>/seed-<k>/``.
        seeds: retrainings per winner.
        tell: called with a line after each model.

    Raises:
        UserError: the task cannot be finalized, or the plan has not been run to its end.
    """
    train_and_test = getattr(plan.task, "finalize", None)
    if train_and_test is None:
        raise UserError(
            f"the task of plan {plan.name} has no finalize(config, *, seed, directory); it has no test split."
        )
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
        raise UserError(f"seeds must be a whole number of at least 1, got {seeds!r}.")
    records = [opened.record() for opened in studies]
    unfinished = [record.name for record in records if not is_done(record) or record.best is None]
    if unfinished:
        raise UserError(
            f"the test set stays locked until the plan is finished; {len(unfinished)} of {len(records)} studies "
            f"are not, the first is {unfinished[0]}. Finish with `hpo-optuna run`."
        )
    return tuple(
        _finalize_study(plan, opened, record, train_and_test, directory, seeds, tell)
        for opened, record in zip(studies, records, strict=True)
    )


def _finalize_study(
    plan: ComparisonPlan,
    opened: PlannedStudy,
    record: StudyRecord,
    train_and_test: Callable[..., Any],
    directory: Path,
    seeds: int,
    tell: Callable[[str], None],
) -> FinalResult:
    best = record.best
    assert best is not None
    assert best.value is not None
    looks: list[dict[str, Any]] = list(record.attrs.get(FINAL, []))
    for k in range(seeds):
        if any(look["trial"] == best.number and look["k"] == k for look in looks):
            continue
        seed = int(np.random.SeedSequence([plan.seed, record.replicate, TAG, k]).generate_state(1)[0] >> 1)
        score = train_and_test(
            dict(best.params), seed=seed, directory=directory / record.name / f"trial-{best.number}" / f"seed-{k}"
        )
        fields = {key: str(v) if isinstance(v, Path) else v for key, v in asdict(score).items()}
        when = datetime.now(UTC).isoformat(timespec="seconds")
        looks.append({"trial": best.number, "k": k, "seed": seed, "when": when, "score": float(score), **fields})
        opened.study.set_user_attr(FINAL, looks)
        tell(f"{record.label}/seed-{record.replicate}: model {k + 1} of {seeds}, test {float(score):.4g}")
    kept = [look for look in looks if look["trial"] == best.number][:seeds]
    return FinalResult(
        record.label,
        record.replicate,
        best.number,
        dict(best.params),
        best.value,
        tuple(look["score"] for look in kept),
        tuple(look.get("path", "") for look in kept),
    )


def table(results: Sequence[FinalResult]) -> Table:
    """Validation beside test: the gap is the winner's curse and what more data gave."""
    drawn = Table(title="test set, unlocked", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("study", "configuration", "models"):
        drawn.add_column(column)
    for column in ("validation that won", "test, mean", "95 % interval", "gap"):
        drawn.add_column(column, justify="right")
    for result in results:
        mean, low, high = result.interval()
        drawn.add_row(
            f"{result.label}/seed-{result.replicate}",
            configuration(result.params),
            str(len(result.tests)),
            f"{result.validation:.4g}",
            f"{mean:.4g}",
            "one model" if np.isnan(low) else f"{low:.4g} to {high:.4g}",
            f"{result.validation - mean:+.4g}",
        )
    return drawn
