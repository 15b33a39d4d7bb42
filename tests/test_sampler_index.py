"""The index of a trial: retries keep it, void trials have none of their own, and all copies of the rule agree."""

from __future__ import annotations

import inspect
from types import ModuleType

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial, TrialState

from hpo_optuna.samplers.grid_search import _index as grid_index
from hpo_optuna.samplers.pso import _cube as pso_cube
from hpo_optuna.samplers.pso import _index as pso_index
from hpo_optuna.samplers.qmc import _index as qmc_index
from hpo_optuna.samplers.random_search import _index as random_index
from hpo_optuna.samplers.spsa import _cube as spsa_cube
from hpo_optuna.samplers.spsa import _index as spsa_index

COPIES = [grid_index, random_index, pso_index, qmc_index, spsa_index]


def table(rows: list[str]) -> list[FrozenTrial]:
    """Trials from words: a state, `bare` for one without parameters, `retry a b` for a retry's history."""
    study = optuna.create_study()
    for row in rows:
        words = row.split()
        state = TrialState[words[0]]
        history = [int(word) for word in words[words.index("retry") + 1 :]] if "retry" in words else []
        params = {} if "bare" in words else {"x": 1}
        study.add_trial(
            optuna.create_trial(
                state=state,
                params=params,
                distributions={name: IntDistribution(0, 9) for name in params},
                value=0.0 if state == TrialState.COMPLETE else None,
                system_attrs={"retry_history": history} if history else {},
            )
        )
    return study.get_trials()


TABLE = {
    "plain": (["COMPLETE", "PRUNED", "RUNNING bare", "WAITING bare"], [0, 1, 2, 3]),
    "an exception uses up its index": (["COMPLETE", "FAIL", "COMPLETE"], [0, 1, 2]),
    "void trials do not": (["COMPLETE", "FAIL bare", "FAIL bare", "COMPLETE"], [0, 1, 1, 1]),
    "a retry has its original's": (["COMPLETE", "FAIL", "COMPLETE retry 1", "COMPLETE"], [0, 1, 1, 2]),
    "a retry's retry too": (["FAIL", "FAIL retry 0", "COMPLETE retry 0 1", "COMPLETE"], [0, 0, 0, 1]),
    "died before its first suggestion": (["FAIL bare", "COMPLETE", "WAITING bare retry 0"], [0, 1, 0]),
    "so did its retry": (["FAIL bare", "FAIL bare retry 0", "RUNNING bare retry 0 1", "RUNNING bare"], [0, 0, 0, 1]),
    "a double retry": (["FAIL", "COMPLETE retry 0", "FAIL retry 0", "COMPLETE"], [0, 0, 0, 1]),
    "a retry that came late": (["FAIL bare", "COMPLETE", "COMPLETE", "COMPLETE retry 0", "COMPLETE"], [0, 1, 2, 0, 3]),
}


@pytest.mark.parametrize("copy", COPIES, ids=lambda module: module.__name__.split(".")[-2])
@pytest.mark.parametrize(("rows", "expected"), TABLE.values(), ids=TABLE.keys())
def test_index_counts_what_is_neither_retry_nor_void(copy: ModuleType, rows: list[str], expected: list[int]) -> None:
    trials = table(rows)
    assert [copy.trial_index(trials, trial.number) for trial in trials] == expected


def test_all_copies_are_the_same_text() -> None:
    assert len({inspect.getsource(copy) for copy in COPIES}) == 1
    assert inspect.getsource(pso_cube) == inspect.getsource(spsa_cube)


@pytest.mark.parametrize("copy", COPIES, ids=lambda module: module.__name__.split(".")[-2])
def test_seed_of_a_study_is_told_by_its_name_and_its_first_trial(copy: ModuleType) -> None:
    one, other = table(["COMPLETE"]), table(["COMPLETE"])
    assert copy.study_seed(one, "study") == copy.study_seed(one * 2, "study")
    assert copy.study_seed(one, "study") != copy.study_seed(other, "study")
    assert copy.study_seed(one, "study") != copy.study_seed(one, "study b")
