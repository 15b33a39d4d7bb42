"""Promise 3: a grid evaluates every point exactly once, whatever dies; a failed point is tried again, twice at most."""

from __future__ import annotations

import pytest
import toys

from hpo_optuna import Budget, HyperparameterOptimizer, StudyStopped

GRID = {"grid": toys.SAMPLERS["grid"]}  # 4 * 4 * 3 = 48 points
SIZE = 48


def points(study):
    return [tuple(t.params.items()) for t in study.finished]


def test_every_point_once_and_the_study_ends_although_the_budget_is_larger(tmp_path):
    url = f"sqlite:///{tmp_path}/hpo.db"
    [study] = toys.run(toys.plan(samplers=GRID, budget=Budget(trials=100)), url)
    assert len(points(study)) == len(set(points(study))) == SIZE
    status = HyperparameterOptimizer(toys.plan(samplers=GRID, budget=Budget(trials=100)), url).status()
    assert status.left == 0
    assert "done" in str(status), "a grid that is smaller than its budget is not waited for"


def test_a_finished_grid_run_again_evaluates_nothing(tmp_path):
    plan = toys.plan(samplers=GRID, budget=Budget(trials=100))
    before = toys.run(plan, f"sqlite:///{tmp_path}/hpo.db")
    assert toys.run(plan, f"sqlite:///{tmp_path}/hpo.db") == before


def test_a_point_that_fails_once_is_tried_again_and_ends_well(tmp_path):
    tried = []

    def fails_first(config, *, seed):
        tried.append(seed)
        if tried.count(seed) == 1 and seed % 5 == 0:
            raise RuntimeError("out of luck")
        yield from toys.bowl(config, seed=seed)

    plan = toys.plan(task=fails_first, samplers=GRID, budget=Budget(trials=100))
    [study] = toys.run(plan, f"sqlite:///{tmp_path}/hpo.db")

    assert len(points(study)) == len(set(points(study))) == SIZE
    assert any(t.superseded and "out of luck" in t.error for t in study)
    assert study.count("FAIL") == 0


def test_a_point_that_always_fails_is_tried_three_times_and_the_others_are_evaluated(tmp_path):
    def fails_at_b(config, *, seed):
        if config["k"] == "b" and config["n"] == 1 and config["x"] == -5.0:
            raise RuntimeError("never this one")
        yield from toys.bowl(config, seed=seed)

    plan = toys.plan(task=fails_at_b, samplers=GRID, budget=Budget(trials=100))
    [study] = toys.run(plan, f"sqlite:///{tmp_path}/hpo.db")

    assert len(points(study)) == len(set(points(study))) == SIZE - 1
    assert [t.state for t in study if t.error] == ["FAIL"] * 3
    assert study.count("FAIL") == 1


@pytest.mark.parametrize("label", ["grid", "random", "pso"])
def test_three_failing_configurations_in_a_row_stop_the_study_with_the_reason(tmp_path, label):
    disk = ["upside down"]

    def broken(config, *, seed):
        if disk:
            raise RuntimeError(f"the disk is {disk[0]}")
        yield from toys.bowl(config, seed=seed)

    plan = toys.plan(task=broken, samplers={label: toys.SAMPLERS[label]})
    url = f"sqlite:///{tmp_path}/hpo.db"
    with pytest.raises(StudyStopped, match="the disk is upside down"):
        toys.run(plan, url)

    [study] = HyperparameterOptimizer(plan, url).status().studies
    assert {t.index for t in study if t.error} == {0, 1, 2}
    disk.clear()
    [mended] = toys.run(plan, url)
    assert len(mended.finished) == 12, "once the cause is mended, the same study goes on"
