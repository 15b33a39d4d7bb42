"""Pruners by name: Optuna's own, the same after a death, right in both directions, audited."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
import toys
from optuna.exceptions import ExperimentalWarning
from optuna.storages import InMemoryStorage

from hpo_optuna import Budget, HyperparameterOptimizer, PrunerSpec, SamplerSpec, UserError, make_pruner, processes
from hpo_optuna.cli import main
from hpo_optuna.matrix import open_studies
from hpo_optuna.plan import suggest
from hpo_optuna.pruners import PRUNERS

RANDOM = {"random": SamplerSpec("random_search")}
SPECS = {
    "median": PrunerSpec("median", n_startup_trials=3, n_warmup_steps=1),
    "percentile": PrunerSpec("percentile", percentile=25.0, n_startup_trials=3),
    "successive_halving": PrunerSpec("successive_halving", min_resource=1, reduction_factor=2),
    "hyperband": PrunerSpec("hyperband", max_resource=6, reduction_factor=2),
    "threshold": PrunerSpec("threshold", upper=20.0),
    "patient": PrunerSpec("patient", patience=0, wrapped_pruner="median"),
    "wilcoxon": PrunerSpec("wilcoxon", p_threshold=0.2),
    "none": PrunerSpec("none"),
}


def upside_down(config, *, seed):
    """The bowl, to be maximised."""
    for score in toys.bowl(config, seed=seed):
        yield -score


def plan(name: str, **changes: Any):
    return toys.plan(**{"pruner": SPECS[name], "samplers": RANDOM, "budget": Budget(trials=24), **changes})


def optunas_own(name: str) -> optuna.pruners.BasePruner:
    kinds = {
        "median": optuna.pruners.MedianPruner,
        "percentile": optuna.pruners.PercentilePruner,
        "successive_halving": optuna.pruners.SuccessiveHalvingPruner,
        "hyperband": optuna.pruners.HyperbandPruner,
        "threshold": optuna.pruners.ThresholdPruner,
        "patient": optuna.pruners.PatientPruner,
        "wilcoxon": optuna.pruners.WilcoxonPruner,
        "none": optuna.pruners.NopPruner,
    }
    options = dict(SPECS[name].options)
    if name == "patient":
        options["wrapped_pruner"] = optuna.pruners.MedianPruner()
    return kinds[name](**options)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("name", PRUNERS)
def test_a_pruner_by_name_and_the_same_of_optuna_have_one_fingerprint(name):
    mine, theirs = plan(name), plan(name, pruner=optunas_own(name))
    assert mine.fingerprint("random") == theirs.fingerprint("random")
    assert isinstance(mine.pruner, type(optunas_own(name)))


@pytest.mark.parametrize("name", [n for n in PRUNERS if n != "none"])
def test_it_prunes_alike_in_both_directions_without_a_word_and_what_it_stops_is_audited(name, recwarn):
    down = plan(name, audit=1.0)
    if name == "threshold":
        up = plan(name, task=upside_down, direction="maximize", pruner=PrunerSpec("threshold", lower=-20.0))
    else:
        up = plan(name, task=upside_down, direction="maximize")
    [one], [two] = toys.run(down, InMemoryStorage()), toys.run(up, InMemoryStorage())
    assert [t.state for t in one] == [t.state for t in two]
    pruned = [t for t in one if t.state == "PRUNED"]
    assert 0 < len(pruned) < 24
    assert any(t.audit for t in pruned if len(t.scores) < 6)
    assert not [w for w in recwarn if issubclass(w.category, ExperimentalWarning)]


@pytest.mark.parametrize(
    ("name", "sampler"), [("successive_halving", "random_search"), ("hyperband", "random_search"), ("hyperband", "tpe")]
)
def test_a_death_and_two_sittings_change_nothing(name, sampler):
    """A dead trial and its retry would compete twice on a rung; a number that it uses up would shift the brackets."""
    samplers = {"s": SamplerSpec(sampler)}
    [expected] = toys.run(plan(name, samplers=samplers), InMemoryStorage())

    database = InMemoryStorage()
    toys.run(plan(name, samplers=samplers, budget=Budget(trials=7)), database)
    [opened] = open_studies(plan(name, samplers=samplers), database)

    class Died(BaseException):
        pass

    def dies(trial):
        trial.set_user_attr("worker", {**processes.this_process(), "pid": 2**22 + 1})
        config = {n: suggest(trial, n, d) for n, d in toys.SPACE.items()}
        for step, score in zip(range(2), toys.bowl(config, seed=0), strict=False):
            trial.report(score, step)
            trial.should_prune()
        raise Died

    trial = opened.study.ask()
    with pytest.raises(Died):
        dies(trial)
    [actual] = toys.run(plan(name, samplers=samplers), database)

    assert actual.trials[7].superseded
    assert toys.results(actual) == toys.results(expected)


def test_auto_is_a_number_where_the_task_tells_its_epochs():
    class Task:
        max_steps = 9

        def __call__(self, config, *, seed):
            yield from toys.bowl(config, seed=seed)

    made = plan("none", task=Task(), pruner="hyperband").study_pruner()
    assert made._max_resource == 9
    assert plan("none", pruner="hyperband").study_pruner()._max_resource == "auto"


def test_the_command_line_takes_a_name(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/hpo.db"
    overrides = ["--storage", url, "--budget-trials", "2", "--replicates", "1"]
    assert main(["run", "sphere", *overrides, "--only", "random", "--pruner", "none"]) == 0
    assert main(["run", "sphere", *overrides, "--only", "random", "--pruner", "median"]) == 2
    assert "another pruner: pruner.class was 'NopPruner', now 'MedianPruner'" in capsys.readouterr().err.replace(
        "\n", ""
    )
    assert main(["run", "sphere", *overrides, "--pruner", "hyperbant"]) == 2
    assert "did you mean hyperband?" in capsys.readouterr().err


def test_an_unknown_name_or_option_is_refused():
    with pytest.raises(UserError, match="unknown pruner 'having'"):
        make_pruner("having")
    with pytest.raises(UserError, match="pruner 'wilcoxon' refuses its options"):
        make_pruner("wilcoxon", p_threshold=2.0)


def test_status_needs_no_pruner_of_its_own():
    memory = InMemoryStorage()
    toys.run(plan("hyperband", budget=Budget(trials=4)), memory)
    assert len(HyperparameterOptimizer(plan("hyperband"), memory).status().studies) == 1
