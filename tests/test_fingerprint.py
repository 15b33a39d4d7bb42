"""A study goes on only with the plan it was started with; what differs is named."""

from __future__ import annotations

import dataclasses

import optuna
import pytest
import toys
from optuna.distributions import FloatDistribution
from optuna.pruners import MedianPruner
from optuna.storages import InMemoryStorage

from hpo_optuna import Budget, HyperparameterOptimizer, SamplerSpec, UserError


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A task with a fingerprint."""

    rate: float = 0.1

    @property
    def fingerprint(self):
        return {"rate": self.rate, "data": {"hash": "abc"}}

    def __call__(self, config, *, seed):
        yield from toys.bowl(config, seed=seed)


CHANGES = {
    "space": (
        {"space": {**toys.SPACE, "x": FloatDistribution(-5.0, 6.0)}},
        r"space\.x\.attributes\.high was 5\.0, now 6\.0",
    ),
    "task": ({"task": Recipe(rate=0.2)}, r"task\.rate was 0\.1, now 0\.2"),
    "direction": ({"direction": "maximize"}, "direction was 'minimize', now 'maximize'"),
    "pruner": ({"pruner": MedianPruner(n_startup_trials=3, n_warmup_steps=4)}, "_n_warmup_steps was 1, now 4"),
    "no pruner": ({"pruner": None}, "pruner.class was 'MedianPruner', now 'NopPruner'"),
    "seed": ({"seed": 1}, "seed was 0, now 1"),
    "sampler": ({"samplers": {"pso": SamplerSpec("random_search")}}, "sampler.name was 'pso', now 'random_search'"),
    "option": ({"samplers": {"pso": SamplerSpec("pso", n_particles=9)}}, "n_particles was None, now 9"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_field_is_refused_by_name_and_nothing_is_run(change):
    changes, message = CHANGES[change]
    storage = InMemoryStorage()
    base = {"task": Recipe(), "samplers": {"pso": SamplerSpec("pso")}, "budget": Budget(trials=2)}
    before = toys.run(toys.plan(**base), storage)

    with pytest.raises(UserError, match=message):
        toys.run(toys.plan(**{**base, **changes, "budget": Budget(trials=3)}), storage)

    assert toys.run(toys.plan(**base), storage)[0].trials == before[0].trials


def test_budget_and_replicates_may_grow():
    storage = InMemoryStorage()
    toys.run(toys.plan(budget=Budget(trials=2)), storage)
    studies = toys.run(toys.plan(budget=Budget(trials=4), replicates=2), storage)
    assert [len(s.finished) for s in studies] == [4] * 6


def test_a_study_of_another_tool_under_the_same_name_is_refused():
    storage = InMemoryStorage()
    study = optuna.create_study(study_name="toy/pso/seed-0", storage=storage)
    study.add_trial(optuna.create_trial(value=1.0))
    with pytest.raises(UserError, match="toy/pso/seed-0 is in the database but was not made by this tool"):
        toys.run(toys.plan(), storage)
    assert len(optuna.get_all_study_names(storage)) == 1, "nothing was created before the refusal"


def test_every_study_says_what_made_it():
    storage = InMemoryStorage()
    study = toys.run(toys.plan(samplers={"pso": SamplerSpec("pso")}, budget=Budget(trials=1)), storage)[0]
    assert study.attrs["fingerprint"]["seed"] == 0
    assert study.attrs["planned"] == {"trials": 1, "epochs": None, "replicates": 1}
    [provenance] = study.attrs["provenance"]
    assert provenance["optuna"] == optuna.__version__
    assert {"python", "platform", "commit", "dirty"} <= provenance.keys()


def test_a_run_that_goes_on_in_another_precision_says_so(capsys):
    storage = InMemoryStorage()

    class Task:
        precision = "float32"

        def __call__(self, config, *, seed):
            return toys.bowl(config, seed=seed)

        def provenance(self):
            return {"precision": self.precision}

    task = Task()
    plan = {"task": task, "samplers": {"pso": SamplerSpec("pso")}}
    HyperparameterOptimizer(toys.plan(**plan, budget=Budget(trials=1)), storage).run()
    assert "begun in" not in capsys.readouterr().out
    task.precision = "bfloat16"
    HyperparameterOptimizer(toys.plan(**plan, budget=Budget(trials=2)), storage).run()
    assert "begun in float32; this machine computes in bfloat16" in " ".join(capsys.readouterr().out.split())
