"""A comparison as the engine leaves it in a database, made in milliseconds: for the tests of everything that reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

SPACE: Mapping[str, BaseDistribution] = {
    "C1": IntDistribution(2, 32),
    "C3": IntDistribution(4, 64),
    "F6": IntDistribution(16, 256, log=True),
}
BEGIN = datetime(2026, 1, 1, 12, 0, 0)  # naive UTC, as Optuna writes it
PROVENANCE = {"python": "3.11.2", "optuna": "5.0.0", "commit": "0123abc", "dirty": False, "device": "cpu <2 cores>"}


def add_study(
    storage: BaseStorage,
    plan: str,
    label: str,
    replicate: int,
    trials: Sequence[FrozenTrial],
    *,
    planned: Mapping[str, Any] | None = None,
    space: Mapping[str, BaseDistribution] = SPACE,
    direction: str = "maximize",
    metric: str = "validation accuracy",
    sampler: str | None = None,
) -> optuna.Study:
    """One study with its attributes and rows."""
    study = optuna.create_study(study_name=f"{plan}/{label}/seed-{replicate}", storage=storage, direction=direction)
    storage.set_study_system_attr(study._study_id, "study:metric_names", [metric])
    study.set_user_attr("label", label)
    study.set_user_attr("replicate", replicate)
    fingerprint = {
        "space": {name: json.loads(distribution_to_json(d)) for name, d in space.items()},
        "task": {"name": "toy", "epochs": 5, "data": "0123456789abcdef" * 4},
        "direction": direction,
        "pruner": {"class": "MedianPruner", "_n_startup_trials": 5, "_n_warmup_steps": 2},
        "sampler": {"name": sampler or label, "options": {"points": 3} if label == "grid" else {}},
        "seed": 0,
    }
    study.set_user_attr("fingerprint", fingerprint)
    study.set_user_attr("planned", planned or {"trials": len(trials), "epochs": None, "replicates": replicate + 1})
    study.set_user_attr("provenance", [PROVENANCE])
    study.add_trials(trials)
    return study


def trial(
    number: int,
    state: str,
    params: Mapping[str, Any],
    scores: Sequence[float],
    *,
    space: Mapping[str, BaseDistribution] = SPACE,
    attrs: Mapping[str, Any] | None = None,
    history: Sequence[int] = (),
    seconds: float | None = None,
) -> FrozenTrial:
    """One row: ten seconds an epoch, one trial after the other."""
    start = BEGIN + timedelta(minutes=number)
    length = timedelta(seconds=10.0 * max(len(scores), 1) if seconds is None else seconds)
    finished = state in ("COMPLETE", "PRUNED", "FAIL")
    made = create_trial(
        state=TrialState[state],
        value=scores[-1] if state in ("COMPLETE", "PRUNED") and scores else None,
        params=dict(params),
        distributions={name: space[name] for name in params},
        intermediate_values=dict(enumerate(scores)),
        user_attrs={
            "worker": {"host": "here", "pid": 1, "started": 0.5},
            "scores": [{"accuracy": s, "loss": 1 - s, "train_loss": 1 - s, "seconds": 10.0} for s in scores],
            **(attrs or {}),
        },
        system_attrs={"retry_history": list(history)} if history else {},
    )
    made.datetime_start = None if state == "WAITING" else start
    made.datetime_complete = start + length if finished else None
    return made


def toy_trials(label: str, replicate: int, n: int, *, epochs: int = 5, lift: float = 0.0) -> list[FrozenTrial]:
    """``n`` trials of an accuracy that grows with the widths; a third pruned after three epochs."""
    draw = np.random.default_rng([replicate, *label.encode()])
    rows = []
    for number in range(n):
        focus = number / n if label == "pso" else 0.0
        c1 = int(draw.integers(2 + int(20 * focus), 33))
        c3 = int(draw.integers(4 + int(40 * focus), 65))
        f6 = int(16 * 16 ** draw.uniform(0.6 * focus, 1))
        end = 0.45 + 0.002 * c1 + 0.0012 * c3 + 0.0002 * f6 + lift + draw.normal(0, 0.006)
        curve = [round(float(end - 0.25 * 0.5 ** (e + 1)), 4) for e in range(epochs)]
        pruned = number >= 5 and draw.random() < 0.35
        rows.append(
            trial(
                number,
                "PRUNED" if pruned else "COMPLETE",
                {"C1": c1, "C3": c3, "F6": f6},
                curve[: min(3, epochs)] if pruned else curve,
            )
        )
    return rows


def toy_comparison(
    storage: BaseStorage | None = None,
    *,
    plan: str = "toy",
    samplers: Sequence[str] = ("grid", "random", "pso"),
    replicates: int = 3,
    trials: int = 18,
    planned_replicates: int | None = None,
) -> BaseStorage:
    """Samplers x replicates, with pruning, a failure, a diverged trial, a retry and a void one in the first study."""
    storage = InMemoryStorage() if storage is None else storage
    planned = {"trials": trials, "epochs": None, "replicates": planned_replicates or replicates}
    for replicate in range(replicates):
        for label in samplers:
            rows = toy_trials(label, replicate, trials)
            if label == samplers[0] and replicate == 0:
                rows = accidents(rows)
            add_study(storage, plan, label, replicate, rows, planned=planned)
    return storage


def accidents(rows: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The same trials, preceded and followed by what goes wrong in practice."""
    bad = '<script>alert("x")</script> & “quotes”'
    n = len(rows)
    return [
        *rows,
        trial(n, "FAIL", {"C1": 3, "C3": 5, "F6": 17}, [0.1], attrs={"error": f"ValueError: {bad}"}),
        trial(n + 1, "FAIL", {"C1": 4, "C3": 6, "F6": 18}, [0.1, 0.2], attrs={"ended": "interrupted"}),
        trial(n + 2, "COMPLETE", {"C1": 4, "C3": 6, "F6": 18}, [0.1, 0.2, 0.3], history=[n + 1]),
        trial(n + 3, "FAIL", {}, [], attrs={"void": "the budget of 18 trials was taken"}),
        trial(n + 4, "PRUNED", {"C1": 5, "C3": 7, "F6": 19}, [0.1], attrs={"ended": "diverged: NaN"}),
    ]


FLOATS: Mapping[str, BaseDistribution] = {"lr": FloatDistribution(1e-4, 1e-1, log=True)}
