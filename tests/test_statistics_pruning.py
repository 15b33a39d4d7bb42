"""What pruning saved and lost, computed by hand on studies of a few trials; and the median rule against Optuna's."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import toy_comparison as toy
import toys
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from scipy import stats

from hpo_optuna import Budget
from hpo_optuna.pruning import Share, pruning, weighted_spearman
from hpo_optuna.pruning_advice import Replay, advice, best_setting, median_rule, replay, replays
from hpo_optuna.pruning_section import as_dict, section
from hpo_optuna.records import study_record
from hpo_optuna.units import Unit

PARAMS = {"C1": 3, "C3": 5, "F6": 17}


def study(rows, name="toy/pso/seed-0", direction=StudyDirection.MAXIMIZE):
    """Rows of (state, reported scores, unreported ones or None, and more of the audit)."""
    trials = []
    for number, (state, scores, after, *more) in enumerate(rows):
        attrs = {} if after is None else {"audit": {"scores": after, "seconds": 1.0, **dict(*more)}}
        trials.append(toy.trial(number, state, PARAMS, scores, attrs=attrs))
    return recorded(trials, name, direction)


def recorded(trials, name="toy/pso/seed-0", direction=StudyDirection.MAXIMIZE):
    """The record of a study of these trials."""
    for number, trial in enumerate(trials):
        trial.number = number
    return study_record(name, [direction], trials, {})


ROWS = [
    ("COMPLETE", [0.1, 0.2, 0.5], None),
    ("COMPLETE", [0.2, 0.3, 0.7], None),
    ("PRUNED", [0.1], [0.2, 0.65]),  # above the median of .5 and .7, below the best
    ("PRUNED", [0.1], [0.2, 0.9]),  # above the best
    ("COMPLETE", [0.3, 0.4, 0.8], None),
    ("PRUNED", [0.0, 0.1], [0.6]),  # below the median of .5, .7, .8
    ("PRUNED", [0.0], None),
]


def test_savings_shares_and_regret_are_those_computed_by_hand():
    found = pruning([study(ROWS)])
    assert (found.stopped.k, found.stopped.n) == (4, 7)
    assert found.saved == 2 + 2 + 1 + 2
    assert found.audit_epochs == 2 + 2 + 1
    assert found.unpruned == 7 * 3
    assert (found.above_median.k, found.above_median.n) == (2, 3)
    assert (found.above_best.k, found.above_best.n) == (1, 3)
    assert found.regrets == (), "one stopped trial was not followed: what was lost is unknown"
    full = pruning([study(ROWS[:-1])])
    assert full.regrets == (pytest.approx(0.9 - 0.8),)


def test_minimising_is_maximising_with_the_other_sign():
    turned = [(state, [-s for s in scores], None if a is None else [-s for s in a]) for state, scores, a in ROWS]
    up, down = pruning([study(ROWS[:-1])]), pruning([study(turned[:-1], direction=StudyDirection.MINIMIZE)])
    assert down.above_median == up.above_median
    assert down.above_best == up.above_best
    assert down.regrets == up.regrets
    assert down.rank_correlations == pytest.approx(up.rank_correlations)


def test_the_interval_is_scipys_exact_one():
    exact = stats.binomtest(3, 17).proportion_ci(method="exact")
    assert Share(3, 17).interval == pytest.approx((exact.low, exact.high))
    assert Share(0, 20).interval == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))
    assert Share(0, 0).interval == (0.0, 1.0)
    assert math.isnan(Share(0, 0).share)


def test_a_trial_that_diverged_after_it_was_stopped_ended_worst_and_one_that_raised_has_no_end():
    rows = [*ROWS[:2], ("PRUNED", [0.9], [], {"diverged": "NaN"}), ("PRUNED", [0.9], [], {"error": "OSError: x"})]
    found = pruning([study(rows)])
    assert [s.final for s in found.audited] == [-math.inf]
    assert found.above_median.k == 0
    assert found.stopped.k == 2
    assert found.regrets == ()


def test_a_trial_that_diverged_before_the_pruner_judged_it_was_not_stopped_by_the_pruner():
    trials = [
        toy.trial(0, "COMPLETE", PARAMS, [0.1, 0.2]),
        toy.trial(1, "PRUNED", PARAMS, [0.1], attrs={"ended": "diverged: NaN"}),
    ]
    assert pruning([recorded(trials)]).stopped.k == 0


def test_only_trials_that_were_complete_when_one_was_stopped_are_its_rivals():
    late = toy.trial(0, "COMPLETE", PARAMS, [0.1, 0.99], seconds=1000.0)  # on another worker
    early = toy.trial(1, "COMPLETE", PARAMS, [0.1, 0.5], seconds=5.0)
    stopped = toy.trial(2, "PRUNED", PARAMS, [0.1], attrs={"audit": {"scores": [0.7], "seconds": 9.0}})
    [found] = pruning([recorded([late, early, stopped])]).audited
    assert found.rivals == (0.5,)


def test_rank_correlation_with_whole_weights_is_that_of_repeated_rows():
    x, y = np.array([1.0, 3.0, 2.0, 3.0, 5.0]), np.array([2.0, 1.0, 4.0, 3.0, 5.0])
    weights = np.array([1, 3, 1, 2, 1])
    expected = stats.spearmanr(np.repeat(x, weights), np.repeat(y, weights)).statistic
    assert weighted_spearman(x, y, weights.astype(float)) == pytest.approx(expected)
    assert weighted_spearman(x, y, np.ones(5)) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert math.isnan(weighted_spearman(x[:2], y[:2], np.ones(2)))
    assert math.isnan(weighted_spearman(np.ones(5), y, np.ones(5)))


def test_an_audited_trial_weighs_as_many_as_it_stands_for():
    found = pruning([study(ROWS)])  # three of four were followed
    x, y = [0.1, 0.2, 0.3, 0.1, 0.1, 0.0], [0.5, 0.7, 0.8, 0.65, 0.9, 0.6]
    by_hand = weighted_spearman(np.array(x), np.array(y), np.array([1, 1, 1, 4 / 3, 4 / 3, 4 / 3]))
    assert len(found.rank_correlations) == 2
    assert found.rank_correlations[0] == pytest.approx(by_hand)


def test_the_median_rule_replayed_stops_the_trials_that_optuna_stopped():
    plan = toys.plan(samplers={"pso": toys.SAMPLERS["pso"]}, budget=Budget(trials=30), audit=1.0)
    [record] = toys.run(plan, InMemoryStorage())  # its pruner: warm-up 1, start-up 3
    [found] = pruning([record]).studies
    expected = [t.epochs if t.state == "PRUNED" else None for t in record.finished]
    assert expected.count(None) < 25
    assert median_rule(found.curves, warmup=1, startup=3) == expected
    assert replay([found], 1, 3).saved == pytest.approx(found.saved / (found.saved + record.epochs))


def test_the_median_rule_by_hand():
    curves = [[0.5, 0.6], [0.3, 0.4], [0.45, 0.3], [0.1, 0.9]]
    # Two must be complete; then the medians are .4 of (.5, .3) at the first step and .5 of (.6, .4) at the second.
    assert median_rule(curves, warmup=0, startup=2) == [None, None, 2, 1]
    assert median_rule(curves, warmup=0, startup=0) == [None, 1, 1, 1]
    assert median_rule(curves, warmup=1, startup=1) == [None, 2, 2, None]
    assert replay([pruning([study([("COMPLETE", c, None) for c in curves])]).studies[0]], 0, 2) == Replay(
        0, 2, 1 / 8, 1, 1
    )


def test_the_setting_recommended_saves_most_among_those_that_keep_the_best():
    found = [Replay(0, 1, 0.5, 2, 20), Replay(1, 1, 0.4, 1, 20), Replay(1, 3, 0.4, 0, 20), Replay(2, 5, 0.2, 0, 20)]
    assert best_setting(found) == found[2]
    assert best_setting([Replay(0, 1, 0.5, 1, 19)]) is None


def test_few_audited_trials_recommend_nothing():
    assert advice(pruning([study(ROWS)])).startswith(
        "Too few audited trials to say how the pruner should be set: there"
    )
    assert replays(pruning([study(ROWS)])) == []
    assert "stopped no trial" in advice(pruning([study(ROWS[:2])]))


def test_a_part_of_the_trials_advises_by_ranks_and_all_of_them_by_replay():
    ends = [*np.random.default_rng(0).uniform(size=40), 2.0]
    curves = [[1.0 - end, end - 0.01, end] for end in ends]  # the first epoch deceives, the second tells
    rows = [("COMPLETE", c, None) if i < 15 else ("PRUNED", c[:1], c[1:]) for i, c in enumerate(curves)]
    whole = advice(pruning([study(rows)]))
    assert "Replayed on the whole curves of 1 study" in whole
    assert "n_warmup_steps=1" in whole
    part = advice(pruning([study([*rows, ("PRUNED", [0.1], None)])]))
    assert part.startswith("From epoch 2 on")
    assert "n_warmup_steps=1 lets the pruner judge from there" in part
    assert "takes a full audit" in part


def test_studies_of_other_tools_have_savings_and_no_losses():
    record = replace(study([(s, scores, None) for s, scores, _ in ROWS]), attrs={})
    found = pruning([record])
    assert found.saved == 7
    assert found.above_best.n == 0
    [(_, title, html)] = section([record], Unit())
    assert title == "Pruning"
    assert "what pruning lost is unknown" in html
    assert as_dict([record])["audited"] == 0
    assert section([study(ROWS[:2])], Unit()) == []
    assert pruning([study([])]).as_dict()["rank_correlations"] == []


def test_the_page_has_both_figures_and_the_numbers():
    [(_, _, html)] = section([study(ROWS[:-1])], Unit())
    assert "1 of 3" in html
    assert "Best score lost" in html
    assert 'data-figure="all-audited"' in html
    assert 'data-figure="all-rank-correlation"' in html
