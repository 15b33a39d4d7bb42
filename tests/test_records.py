"""Index, retry, void, superseded: the trial table is read the same by the engine and by every sampler."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from hpo_optuna.records import read_trials
from hpo_optuna.samplers.grid_search._index import trial_index as grid_index
from hpo_optuna.samplers.pso._index import trial_index as pso_index
from hpo_optuna.samplers.random_search._index import trial_index as random_index

X = optuna.distributions.FloatDistribution(0.0, 1.0)


def table(*rows):
    """A trial table from rows of (state, whether it has parameters, retry_history)."""
    study = optuna.create_study()
    for state, chosen, history in rows:
        study.add_trial(
            create_trial(
                state=TrialState[state],
                value=1.0 if state in ("COMPLETE", "PRUNED") else None,
                params={"x": 0.5} if chosen else {},
                distributions={"x": X} if chosen else {},
                system_attrs={"retry_history": history} if history else {},
            )
        )
    return study.get_trials()


C, P, F, B, R = ("COMPLETE", 1, []), ("PRUNED", 1, []), ("FAIL", 1, []), ("FAIL", 0, []), ("RUNNING", 0, [])
TABLES = {
    "plain": ([C, P, F, R], [0, 1, 2, 3], [], []),
    "a failed trial uses up its index": ([C, F, C], [0, 1, 2], [], []),
    "a blank failure is void": ([C, B, C], [0, 1, 1], [1], []),
    "a retry has its original's index": ([C, F, C, ("COMPLETE", 1, [1]), C], [0, 1, 2, 1, 3], [], [1]),
    "a retry of a retry": ([F, ("FAIL", 1, [0]), ("WAITING", 1, [0, 1]), C], [0, 0, 0, 1], [], [0, 1]),
    "a blank failure that was retried counts": ([B, C, ("COMPLETE", 1, [0]), C], [0, 1, 0, 2], [], [0]),
    "of double retries the lowest is real": (
        [F, ("COMPLETE", 1, [0]), ("WAITING", 1, [0]), C],
        [0, 0, 0, 1],
        [2],
        [0],
    ),
    "the retry of a trial that was finished after all is void": ([C, ("WAITING", 1, [0]), C], [0, 0, 1], [1], []),
}


@pytest.mark.parametrize("case", TABLES)
def test_the_rules_case_by_case(case):
    rows, indices, void, superseded = TABLES[case]
    records = read_trials(table(*rows))
    assert [t.index for t in records] == indices
    assert [t.number for t in records if t.void] == void
    assert [t.number for t in records if t.superseded] == superseded


@pytest.mark.parametrize("seed", range(20))
def test_the_engine_and_every_sampler_count_alike(seed):
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(40):
        failed = [n for n, (state, *_) in enumerate(rows) if state == "FAIL"]
        if failed and rng.random() < 0.3:
            last = int(rng.choice(failed))
            rows.append((str(rng.choice(["COMPLETE", "FAIL", "WAITING"])), 1, [*rows[last][2], last]))
        else:
            state = str(rng.choice(["COMPLETE", "PRUNED", "FAIL", "RUNNING"]))
            rows.append((state, state != "FAIL" or rng.random() < 0.5, []))
    trials = table(*rows)
    expected = [t.index for t in read_trials(trials)]
    for index in (grid_index, pso_index, random_index):
        assert [index(trials, number) for number in range(len(trials))] == expected
