"""A curve of the best so far never falls, and everything costs what it cost."""

import numpy as np
import pytest
import toy_comparison as toy
from optuna.distributions import IntDistribution
from optuna.storages import InMemoryStorage

from hpo_optuna.comparison_figures import best_so_far, ranks
from hpo_optuna.curves import AXES, Curve, common_grid, curve, early_ends, is_done, values_of
from hpo_optuna.records import StudyRecord, read

P = {"C1": 3, "C3": 5, "F6": 17}


def study(rows, **options) -> StudyRecord:
    storage = InMemoryStorage()
    toy.add_study(storage, "toy", "pso", 0, rows, **options)
    return read(storage, "toy")[0]


@pytest.mark.parametrize("axis", AXES)
def test_curves_are_monotone(axis) -> None:
    for record in read(toy.toy_comparison(replicates=2), "toy"):
        found = curve(record, axis)
        assert (np.diff(found.best) > 0).all()
        assert (np.diff(found.cost) >= 0).all()


def test_curves_of_a_loss_fall() -> None:
    rows = [toy.trial(i, "COMPLETE", P, [v]) for i, v in enumerate([0.5, 0.7, 0.3])]
    assert curve(study(rows, direction="minimize")).best.tolist() == [0.5, 0.3]


def test_the_end_of_a_curve_is_the_studys_best() -> None:
    for record in read(toy.toy_comparison(replicates=2), "toy"):
        assert record.best is not None
        assert curve(record).final == record.best.value


def test_pruned_trials_cost_a_trial_and_their_epochs_and_seconds() -> None:
    record = study([toy.trial(0, "PRUNED", P, [0.9, 0.9]), toy.trial(1, "COMPLETE", P, [0.1, 0.2, 0.3])])
    assert [curve(record, axis).cost.tolist() for axis in AXES] == [[2.0], [5.0], [50.0]]
    assert curve(record).best.tolist() == [0.3]


def test_failed_trials_cost_epochs_and_seconds_and_no_trial() -> None:
    record = study([toy.trial(0, "FAIL", P, [0.9]), toy.trial(1, "COMPLETE", P, [0.3])])
    assert [curve(record, axis).cost.tolist() for axis in AXES] == [[1.0], [2.0], [20.0]]


def test_superseded_and_void_trials_cost_nothing() -> None:
    rows = [
        toy.trial(0, "FAIL", P, [0.9, 0.9], attrs={"ended": "interrupted"}),
        toy.trial(1, "FAIL", {}, [], attrs={"void": "the budget was taken"}),
        toy.trial(2, "COMPLETE", P, [0.2, 0.3], history=[0]),
    ]
    assert [curve(study(rows), axis).cost.tolist() for axis in AXES] == [[1.0], [2.0], [20.0]]


def test_a_retry_stands_where_its_original_stood() -> None:
    rows = [
        toy.trial(0, "FAIL", P, [0.1], attrs={"ended": "interrupted"}),
        toy.trial(1, "COMPLETE", P, [0.5]),
        toy.trial(2, "COMPLETE", P, [0.4], history=[0]),
    ]
    assert curve(study(rows)).best.tolist() == [0.4, 0.5]
    assert curve(study(rows), "seconds").best.tolist() == [0.5]


def test_a_score_reached_beyond_the_budget_of_epochs_does_not_count() -> None:
    rows = [toy.trial(i, "COMPLETE", P, [0.1 * (i + 1)] * 3) for i in range(3)]
    record = study(rows, planned={"trials": None, "epochs": 8, "replicates": 1})
    found = curve(record, "epochs")
    assert found.cost.tolist() == [3.0, 6.0]
    assert found.spent == 8.0
    assert found.done


def test_a_score_of_an_extended_study_beyond_its_budget_of_trials_does_not_count() -> None:
    rows = [toy.trial(i, "COMPLETE", P, [0.1 * (i + 1)]) for i in range(5)]
    assert curve(study(rows, planned={"trials": 3, "epochs": None, "replicates": 1})).final == pytest.approx(0.3)


def test_a_finished_curve_stays_flat_and_an_unfinished_one_ends() -> None:
    grid = np.arange(1.0, 5.0)
    steps = {"cost": np.array([2.0]), "best": np.array([0.5]), "spent": 3.0}
    assert Curve(**steps, done=True).at(grid).tolist()[1:] == [0.5, 0.5, 0.5]
    unfinished = Curve(**steps, done=False).at(grid)
    assert np.isnan(unfinished).tolist() == [True, False, False, True]


def test_a_running_trial_keeps_a_study_from_being_done() -> None:
    rows = [toy.trial(0, "COMPLETE", P, [0.5]), toy.trial(1, "RUNNING", P, [])]
    assert not is_done(study(rows, planned={"trials": 1, "epochs": None, "replicates": 1}))


def test_an_exhausted_grid_is_done_and_said_to_be() -> None:
    space = {"C1": IntDistribution(1, 3)}
    rows = [toy.trial(i, "COMPLETE", {"C1": i + 1}, [0.1 * i], space=space) for i in range(3)]
    storage = InMemoryStorage()
    toy.add_study(
        storage, "toy", "grid", 0, rows, space=space, sampler="grid_search", planned={"trials": 9, "epochs": None}
    )
    records = read(storage, "toy")
    assert is_done(records[0])
    assert early_ends(records) == ["grid has tried all its points after 3 trials; its curve stays flat from there."]


def test_an_interrupted_grid_is_not_exhausted() -> None:
    space = {"C1": IntDistribution(1, 3)}
    rows = [toy.trial(i, "COMPLETE", {"C1": i + 1}, [0.1 * i], space=space) for i in range(2)]
    record = study(rows, space=space, sampler="grid_search", planned={"trials": 9, "epochs": None})
    assert not is_done(record)


def test_the_common_grid_ends_where_the_longest_study_ends() -> None:
    curves = [curve(r, "epochs") for r in read(toy.toy_comparison(replicates=1), "toy")]
    grid = common_grid(curves, "epochs")
    assert grid[-1] == max(c.spent for c in curves)
    assert values_of(curves, grid).shape == (3, len(grid))


def test_the_comparison_is_drawn_against_trials_epochs_and_seconds() -> None:
    records = read(toy.toy_comparison(replicates=3), "toy")
    for axis, drawing in best_so_far(records, "accuracy").items():
        assert drawing.figure is not None
        assert drawing.figure.layout.xaxis.title.text.startswith(axis)
        assert len(drawing.figure.data) == 9  # mean and two edges of the band, three samplers
    assert ranks(records).figure is not None


def test_fewer_than_three_replicates_are_drawn_one_by_one() -> None:
    drawing = best_so_far(read(toy.toy_comparison(replicates=2), "toy"), "accuracy")["trials"]
    assert drawing.figure is not None
    assert len(drawing.figure.data) == 6


def test_nothing_is_drawn_before_the_first_complete_trial() -> None:
    records = [study([toy.trial(0, "PRUNED", P, [0.1])])]
    assert best_so_far(records, "accuracy")["trials"].why_not == "No trial is complete yet."
    assert ranks(records).why_not
