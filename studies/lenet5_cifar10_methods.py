"""Six methods on the subset of CIFAR-10 at equal epochs: the headline's search space, 3 epochs a trial, 5 replicates.

hpo-optuna run lenet5_cifar10_methods --workers 2

A budget in epochs, not in trials: a method whose trials are pruned may ask for more of them. Left out are the grid,
whose points would have to be chosen for a number of trials nobody knows, NSGA-II, whose first generation alone is 50
trials, and SPSA, which takes two trials a step.
"""

from dataclasses import replace

from optuna.pruners import MedianPruner

from hpo_optuna import Budget, SamplerSpec
from hpo_optuna.studies import lenet5_cifar10_subset
from hpo_optuna.tasks import LeNet5Task

PLAN = replace(
    lenet5_cifar10_subset.PLAN,
    name="lenet5-cifar10-methods",
    task=LeNet5Task(data="cifar10", epochs=3, train_size=5_000, validation=2_500),
    samplers={
        "random": SamplerSpec("random_search"),
        "qmc": SamplerSpec("qmc"),
        "pso": SamplerSpec("pso"),
        "tpe": SamplerSpec("tpe"),
        "gp": SamplerSpec("gp"),
        "cmaes": SamplerSpec("cmaes"),
    },
    budget=Budget(epochs=60),
    replicates=5,
    pruner=MedianPruner(n_startup_trials=5, n_warmup_steps=1),
)
