"""The verdict: at the planned replicates and budget, and never before."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import toy_comparison as toy
from optuna.storages import InMemoryStorage

from hpo_optuna.records import StudyRecord, read
from hpo_optuna.units import Unit, unit_of
from hpo_optuna.verdict import is_finished, judge

PERCENT = Unit("accuracy", 100.0, " %", " points")
NOISE = np.random.default_rng(5).normal(0, 0.002, size=(3, 12))


def comparison(
    finals: Mapping[str, Sequence[float]], *, planned: int | None = None, trials: int = 2, direction: str = "maximize"
) -> tuple[StudyRecord, ...]:
    """Studies of two trials each, whose best scores are given: sampler -> one for each replicate."""
    storage = InMemoryStorage()
    for label, scores in finals.items():
        for replicate, score in enumerate(scores):
            worse = score - 0.1 if direction == "maximize" else score + 0.1
            rows = [
                toy.trial(0, "COMPLETE", {"C1": 3, "C3": 5, "F6": 17}, [worse]),
                toy.trial(1, "COMPLETE", {"C1": 4, "C3": 5, "F6": 17}, [score]),
            ]
            intent = {"trials": trials, "epochs": None, "replicates": planned or len(scores)}
            toy.add_study(storage, "toy", label, replicate, rows, planned=intent, direction=direction)
    return read(storage, "toy")


def scores(mean: float, sampler: int, n: int = 8) -> list[float]:
    return [float(mean + e) for e in NOISE[sampler, :n]]


def test_a_clear_difference_is_found_and_written_with_its_interval() -> None:
    verdict = judge(comparison({"random": scores(0.60, 0), "pso": scores(0.62, 1)}), PERCENT)
    assert verdict.status == "difference"
    assert verdict.sentence.startswith("pso is better than random by ")
    assert "points (95 % interval" in verdict.sentence
    assert verdict.sentence.endswith("after 2 trials in each study; 8 replicates.")


def test_of_a_loss_the_lower_one_is_better() -> None:
    records = comparison({"random": scores(0.62, 0), "pso": scores(0.60, 1)}, direction="minimize")
    verdict = judge(records, Unit("loss"))
    assert verdict.status == "difference"
    assert verdict.sentence.startswith("pso is better than random by 0.0")
    assert verdict.pairs[0].mean > 0


def test_of_three_samplers_each_pair_is_spoken_of() -> None:
    verdict = judge(comparison({"grid": scores(0.60, 0), "random": scores(0.60, 1), "pso": scores(0.63, 2)}), PERCENT)
    assert verdict.sentence.startswith("pso is better than grid by ")
    assert " and than random by " in verdict.sentence
    assert any(note.startswith("No difference found between") for note in verdict.notes)


def test_of_six_samplers_the_pairs_without_a_difference_are_counted() -> None:
    five = {name: [0.60 + e for e in np.random.default_rng(k).normal(0, 0.02, 8)] for k, name in enumerate("abcde")}
    verdict = judge(comparison({**five, "pso": scores(0.80, 2)}), PERCENT)
    assert all(f"than {name} by" in verdict.sentence for name in five)
    others = [note for note in verdict.notes if note.startswith("No difference found")]
    assert others == ["No difference found in the other 10 comparisons."]


def test_equal_samplers_with_little_noise_are_equivalent_within_half_a_point() -> None:
    verdict = judge(comparison({"random": scores(0.60, 0, 12), "pso": scores(0.60, 1, 12)}), PERCENT)
    assert verdict.status == "equivalent"
    assert "random and pso are equivalent within 0.50 points" in verdict.sentence


def test_without_a_margin_nothing_is_called_equivalent() -> None:
    verdict = judge(comparison({"random": scores(0.60, 0, 12), "pso": scores(0.60, 1, 12)}), Unit("score"))
    assert verdict.status == "no-difference"
    assert verdict.margin is None


def test_no_difference_says_what_it_would_take_to_see_one() -> None:
    noisy = {"random": [0.58, 0.62, 0.60, 0.57, 0.63], "pso": [0.61, 0.59, 0.63, 0.62, 0.58]}
    verdict = judge(comparison(noisy), PERCENT)
    assert verdict.status == "no-difference"
    assert verdict.sentence.startswith("No difference found between random and pso")
    assert any("To see 0.50 points, about " in note and "there are 5" in note for note in verdict.notes)


def test_too_few_pairs_for_wilcoxon_are_said() -> None:
    notes = judge(comparison({"random": scores(0.60, 0, 5), "pso": scores(0.62, 1, 5)}), PERCENT).notes
    assert any("Wilcoxon's signed-rank test cannot reach 5 % here: it takes 6" in note for note in notes)


def test_one_planned_replicate_proves_nothing() -> None:
    verdict = judge(comparison({"random": [0.6], "pso": [0.7]}), PERCENT)
    assert verdict.status == "preliminary"
    assert "one replicate proves nothing about the samplers" in verdict.sentence


def test_before_the_planned_replicates_it_is_preliminary_however_clear() -> None:
    verdict = judge(comparison({"random": scores(0.60, 0, 5), "pso": scores(0.70, 1, 5)}, planned=8), PERCENT)
    assert verdict.status == "preliminary"
    assert "5 replicates of 8 planned are finished" in verdict.sentence


def test_before_the_planned_budget_it_is_preliminary() -> None:
    records = comparison({"random": scores(0.60, 0, 5), "pso": scores(0.70, 1, 5)}, trials=3)
    assert judge(records, PERCENT).status == "preliminary"
    assert not is_finished(records)


def test_a_replicate_that_one_sampler_has_not_run_is_missing() -> None:
    records = comparison({"random": scores(0.60, 0, 5), "pso": scores(0.70, 1, 4)}, planned=5)
    verdict = judge(records, PERCENT)
    assert (verdict.status, verdict.done) == ("preliminary", 4)


def test_different_budgets_are_not_compared() -> None:
    two = comparison({"random": scores(0.60, 0, 5)})
    one = comparison({"pso": scores(0.70, 1, 5)}, trials=1)
    verdict = judge((*two, *one), PERCENT)
    assert verdict.status == "preliminary"
    assert "different budgets" in verdict.sentence


def test_one_sampler_is_compared_with_nothing() -> None:
    verdict = judge(comparison({"pso": scores(0.6, 0)}), PERCENT)
    assert (verdict.status, verdict.pairs) == ("preliminary", ())


def test_a_plan_extended_after_its_end_is_exploratory() -> None:
    storage = InMemoryStorage()
    for label in ("random", "pso"):
        for replicate in range(2):
            study = toy.add_study(storage, "toy", label, replicate, toy.toy_trials(label, replicate, 4))
            study.set_user_attr("extended", True)
    verdict = judge(read(storage, "toy"), PERCENT)
    assert verdict.exploratory
    assert verdict.notes[0].startswith("Exploratory: the plan was extended after it had been finished.")


def test_equal_differences_are_never_called_a_difference() -> None:
    records = comparison({"random": [0.60, 0.61, 0.62], "pso": [0.61, 0.62, 0.63]})
    verdict = judge(records, PERCENT)
    assert verdict.status == "no-difference"
    assert any("no test can be made" in note for note in verdict.notes)


def test_the_verdict_goes_into_json() -> None:
    found = judge(comparison({"random": scores(0.60, 0), "pso": scores(0.62, 1)}), PERCENT).as_dict()
    assert found["status"] == "difference"
    assert found["pairs"][0]["a"] == "pso"
    assert found["done"] == found["planned"] == 8


def test_the_verdict_is_a_note_for_the_dashboard() -> None:
    note = judge(comparison({"a_b": [0.6], "pso": [0.7]}), PERCENT).markdown()
    assert note.startswith("### The verdict\n\n**Preliminary: one replicate proves nothing about the samplers")
    assert "- So far, mean of the best scores: a\\_b 60.00 % and pso 70.00 %." in note


@pytest.mark.parametrize(
    ("metric", "values", "written"),
    [("validation accuracy", [0.6], "60.00 %"), ("accuracy", [60.0], "60"), ("loss", [0.6], "0.6")],
)
def test_only_shares_of_something_right_are_percent(metric: str, values: list[float], written: str) -> None:
    assert unit_of(metric, values).score(values[0]) == written


def test_two_replicates_of_nine_samplers_are_told_to_be_too_few_and_not_to_see_hundreds_of_points() -> None:
    draw = np.random.default_rng(1)
    nine = {f"s{i}": [float(v) for v in 0.9 + draw.normal(0, 0.005, size=2)] for i in range(9)}
    few = judge(comparison(nine), PERCENT)
    assert "2 replicates are too few to find any difference in four of five such comparisons." in few.notes
    enough = judge(comparison({"random": scores(0.60, 0), "pso": scores(0.60, 1)}), PERCENT)
    assert any(note.startswith("8 replicates find a difference of 0.") for note in enough.notes)
