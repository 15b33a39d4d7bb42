"""SPSA: pairs around one centre, steps against their difference; pruned, failed, retried trials and those by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from hpo_optuna.samplers.spsa import SPSASampler

SQUARE: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)}
CENTRE = "spsa:centre"


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def bowl(params: dict[str, Any]) -> float:
    return sum((float(v) - 0.7) ** 2 for v in params.values())


def new_study(direction: Any = "minimize", **options: Any) -> optuna.Study:
    return optuna.create_study(sampler=SPSASampler(SQUARE, **{"seed": 0, **options}), direction=direction)


def run(study: optuna.Study, n: int, loss: Callable[[dict[str, Any]], float] = bowl) -> list[dict[str, Any]]:
    for _ in range(n):
        trial = study.ask(SQUARE)
        study.tell(trial, loss(trial.params))
    return [t.params for t in study.trials]


def centres(study: optuna.Study) -> list[tuple[float, ...]]:
    return [tuple(t.system_attrs[CENTRE].values()) for t in study.trials if CENTRE in t.system_attrs]


def test_a_pair_lies_on_two_sides_of_its_centre_and_the_next_moves_to_the_better_side() -> None:
    study = new_study()
    run(study, 3, lambda p: 2 * p["x"] + p["y"])
    (plus, minus, _), (c0, c1, c2) = [t.params for t in study.trials], centres(study)
    assert c0 == c1
    for j, name in enumerate("xy"):
        assert plus[name] + minus[name] == pytest.approx(2 * c0[j])
        assert abs(plus[name] - minus[name]) == pytest.approx(0.1)
    better = min(plus, minus, key=lambda p: 2 * p["x"] + p["y"])
    expected = [c0[j] + 0.1 * np.sign(better[name] - c0[j]) for j, name in enumerate("xy")]
    assert c2 == pytest.approx(expected)


def test_it_comes_near_the_optimum_on_losses_of_any_scale_and_sign() -> None:
    plain = run(new_study(), 60)
    assert bowl(plain[-1]) < 0.03
    scaled, flipped = run(new_study(), 60, lambda p: 1e6 * bowl(p)), run(new_study("maximize"), 60, lambda p: -bowl(p))
    for other in (scaled, flipped):
        for one, two in zip(plain, other, strict=True):
            assert one == pytest.approx(two, abs=1e-6)


def test_it_is_better_than_random_on_twelve_noisy_parameters() -> None:
    space: dict[str, BaseDistribution] = {f"x{i}": FloatDistribution(0.0, 1.0) for i in range(12)}

    def last(sampler: optuna.samplers.BaseSampler) -> float:
        study = optuna.create_study(sampler=sampler)
        for i in range(80):
            trial = study.ask(space)
            study.tell(trial, bowl(trial.params) + 0.05 * np.random.default_rng(i).standard_normal())
        return min(bowl(t.params) for t in study.trials)

    for seed in range(3):
        assert last(SPSASampler(space, seed=seed)) < 0.6 * last(optuna.samplers.RandomSampler(seed=seed))


def test_replicates_differ_in_start_and_signs() -> None:
    assert run(new_study(seed=1), 4) != run(new_study(seed=2), 4)


def test_pairs_of_integers_lie_in_different_bins_and_categories_are_shared() -> None:
    space: dict[str, BaseDistribution] = {
        "k": IntDistribution(1, 4),
        "n": IntDistribution(1, 8, log=True),
        "c": CategoricalDistribution(["a", "b", "c"]),
    }
    study = optuna.create_study(sampler=SPSASampler(space, seed=3))
    for _ in range(40):
        trial = study.ask(space)
        study.tell(trial, trial.params["k"] + trial.params["n"] + (trial.params["c"] != "b"))
    params = [t.params for t in study.trials]
    for plus, minus in zip(params[::2], params[1::2], strict=True):
        assert plus["k"] != minus["k"]
        assert plus["n"] != minus["n"]
        assert plus["c"] == minus["c"]
    assert sum(p["c"] == "b" for p in params[20:]) >= 10


def test_a_failed_half_leaves_the_iterate_where_it_was() -> None:
    study = new_study()
    run(study, 1)
    study.tell(study.ask(SQUARE), state=TrialState.FAIL)
    run(study, 1)
    assert centres(study)[2] == centres(study)[0]


def test_a_pruned_half_is_compared_at_the_last_step_that_both_reported() -> None:
    def third_centre(prune: bool) -> tuple[float, ...]:
        study = new_study()
        first = study.ask(SQUARE)
        for step, score in enumerate((5.0, 3.0, 1.0)):
            first.report(score, step)
        study.tell(first, 1.0)
        second = study.ask(SQUARE)
        second.report(7.0, 0)  # worse than 5.0 at the same step
        if prune:
            study.tell(second, state=TrialState.PRUNED)
        else:
            study.tell(second, 3.0)
        run(study, 1)
        return centres(study)[2]

    assert third_centre(prune=True) == third_centre(prune=False)


def test_a_half_that_diverged_is_worse_than_its_partner() -> None:
    study = new_study()
    run(study, 1)
    study.tell(study.ask(SQUARE), state=TrialState.PRUNED)
    run(study, 1)
    first = study.trials[0].params
    expected = [c + 0.2 * np.sign(first[name] - c) for c, name in zip(centres(study)[0], "xy", strict=True)]
    assert centres(study)[2] == pytest.approx(np.clip(expected, 0.0, 1.0))


def test_two_workers_share_a_pair_and_later_pairs_do_not_wait() -> None:
    study = new_study()
    plus, minus, third = study.ask(SQUARE), study.ask(SQUARE), study.ask(SQUARE)
    assert centres(study)[0] == centres(study)[1] == centres(study)[2], "nothing is known yet"
    study.tell(third, bowl(third.params))
    study.tell(minus, bowl(minus.params))
    study.tell(plus, bowl(plus.params))
    fourth = study.ask(SQUARE)
    assert centres(study)[3] == centres(study)[2], "the partner is drawn around the same centre"
    study.tell(fourth, bowl(fourth.params))
    run(study, 1)
    assert centres(study)[4] != centres(study)[2]


def test_a_better_configuration_by_hand_becomes_the_iterate() -> None:
    study = new_study()
    run(study, 2)
    study.enqueue_trial({"x": 0.7, "y": 0.7})
    run(study, 2)
    assert study.trials[2].params == {"x": 0.7, "y": 0.7}
    assert centres(study)[2] == pytest.approx((0.7, 0.7))


def test_options_are_checked() -> None:
    for options, message in (
        ({"seed": -1}, "seed must be a non-negative integer or None, got -1"),
        ({"step": 0.0}, r"step must be a number above 0 and at most 0\.5, got 0\.0"),
        ({"perturbation": 0.3}, r"perturbation must be a number above 0 and at most 0\.25, got 0\.3"),
        ({"stability": -1}, "stability must be a finite number of at least 0, got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            SPSASampler(**options)  # type: ignore[arg-type]
